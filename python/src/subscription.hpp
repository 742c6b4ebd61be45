// A subscription whose messages wait for Python.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <vector>

#include "pending.hpp"
#include "waitable.hpp"

namespace oslo::messaging::python {

/// Pulls ahead, up to `most`, so that Python gets many messages for one lock of its interpreter.
///
/// It keeps the transport, and so its loop, until it is destroyed.
class subscription final : public waitable, public std::enable_shared_from_this<subscription> {
 public:
  static constexpr std::size_t most = 64;
  using opener = std::function<std::shared_ptr<listener>(driver&)>;

  /// `acknowledge`: messages are acknowledged when they arrive, as Python's RPC servers do, and not
  /// by whoever takes them.
  subscription(transport bus, bool acknowledge)
      : bus_(std::move(bus)), loop_(bus_.shared_loop()), acknowledge_(acknowledge) {}
  ~subscription() override;

  /// Subscribes on the loop. Once.
  void open(opener o);
  /// Completes once the bus has confirmed the subscription, or with why it never will.
  const std::shared_ptr<pending>& confirmed() const noexcept { return confirmed_; }
  /// At most `max` of those that wait. None after `stop`: all were taken.
  incoming_batch take(std::size_t max);
  /// Nothing more is taken from the bus. What waits can still be taken.
  void stop();
  /// After `stop`: completes once every message is settled and nothing is left on the bus.
  std::shared_ptr<pending> gone();

 private:
  bool ready() const override { return !waiting_.empty() || (ended_ && stopping_); }
  void pull();
  void arrived(incoming_batch batch);
  void end();

  transport bus_;
  std::shared_ptr<scheduler> loop_;
  const bool acknowledge_;
  const std::shared_ptr<pending> confirmed_ = std::make_shared<pending>();

  // With the lock held.
  std::deque<std::unique_ptr<incoming_message>> waiting_;
  bool pulling_ = false;  ///< a pull is under way, or on its way to the loop
  bool ended_ = false;
  bool stopping_ = false;

  std::shared_ptr<listener> listener_;  ///< on the loop
};

}  // namespace oslo::messaging::python
