// Notifications in the hands of one handler. Not part of the API.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <exception>
#include <memory>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/notify/notification.hpp>
#include <span>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify::detail {

/// What a handler is called with, and how it answers when that is after it has returned.
class invocation {
 public:
  virtual ~invocation() = default;
  /// One, or a batch. Valid until the answer.
  virtual std::span<const notification> what() const noexcept = 0;
  /// One of a batch that cannot be read as the handler's type is not handed to it.
  virtual void unreadable(const failure& why) const noexcept = 0;
  // Each is an answer; there is exactly one. Any thread.
  virtual void answer(outcome what) noexcept = 0;
  virtual void fail(std::exception_ptr error) noexcept = 0;
  /// The responder is gone. Counts once the handler has returned: one that throws says why itself.
  virtual void abandon() noexcept = 0;
  /// Runs a coroutine handler on the listener's executor, and answers with its outcome.
  virtual void run(boost::asio::awaitable<outcome> handler) = 0;

  /// What a deferred handler got by reference, which is valid until its answer.
  std::shared_ptr<void> held{};
};

}  // namespace oslo::messaging::notify::detail

#pragma GCC visibility pop
