// Messages on their way through the handlers.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/notify/detail/invocation.hpp>
#include <span>
#include <string>
#include <vector>

#include "notify/handler_table.hpp"

namespace oslo::messaging::notify {

/// What became of a message.
struct handling_result {
  outcome what = outcome::handled;
  std::string error{};  ///< of a requeue: what the handler threw, or that it asked for it
};

/// Whom it works for.
class handling_owner {
 public:
  virtual ~handling_owner() = default;
  /// Runs a coroutine where handlers run; `done` as well.
  virtual void run(boost::asio::awaitable<outcome> handler,
                   unique_function<void(std::exception_ptr, outcome)> done) = 0;
  /// Runs `work` where handlers run, not before this returns.
  virtual void resume(unique_function<void()> work) = 0;
  /// Called once, on any thread: the messages with a result for each. No results: the handlers
  /// never ended, and never will.
  virtual void done(incoming_batch messages, std::vector<handling_result> results) noexcept = 0;
};

/// Hands one message, or a batch, to each handler that wants it, one after the other
/// (docs/notifications-listening.md). Nothing throws what a handler threw.
///
/// Thread safety: `begin` once; the answers of handlers from any thread.
class handling final : public detail::invocation, public std::enable_shared_from_this<handling> {
 public:
  /// `d` lives as long as `owner`.
  handling(std::shared_ptr<handling_owner> owner, const handler_table& d, incoming_batch messages)
      : owner_(std::move(owner)), table_(d), messages_(std::move(messages)) {}
  /// An executor may destroy work that it never ran, or never finished.
  ~handling() override;

  /// On the executor.
  void begin() noexcept;

  std::span<const notification> what() const noexcept override { return what_; }
  void unreadable(const failure& why) const noexcept override;
  void answer(outcome what) noexcept override;
  void fail(std::exception_ptr error) noexcept override;
  void abandon() noexcept override;
  void run(boost::asio::awaitable<outcome> handler) override;

 private:
  /// The messages of one priority.
  struct group {
    notify::priority priority;
    std::vector<notification> read{};
    std::vector<std::size_t> from{};  ///< where in `messages_`
  };

  void read_all();
  bool wants(const endpoint& e, const notification& n) const noexcept;
  void proceed();
  bool choose(const endpoint& e, const group& g);
  bool start(const detail::handler& h);
  /// "was dropped, because its handler": what becomes of it, and who is at fault.
  void cannot_read(std::string_view who, const failure& why) const noexcept;
  /// What a handler says of its messages.
  struct opinion : handling_result {
    /// The payload that it could not read: those that have it are no case for another delivery.
    std::shared_ptr<const std::string> unreadable{};
  };
  static opinion asked(outcome what);
  /// The opinion of a handler that has thrown. Logs what.
  opinion failed(const std::exception_ptr& error) const;
  void take(const opinion& o);
  void answered_later(opinion o) noexcept;

  const std::shared_ptr<handling_owner> owner_;
  const handler_table& table_;
  incoming_batch messages_;
  std::vector<handling_result> results_;
  std::vector<group> groups_;
  std::size_t group_ = 0;     ///< the one in work
  std::size_t endpoint_ = 0;  ///< the next one to ask
  std::vector<notification> chosen_;
  std::span<const notification> what_;
  bool done_ = false;
  /// How far the handler is that answers later. Its number tells it from the next one, which
  /// another thread may have started before it has returned.
  struct start_state {
    enum class step : std::uint32_t { returned, running, running_without_responder };
    std::uint32_t number = 0;
    step at = step::returned;
  };
  std::atomic<start_state> start_{};
};

}  // namespace oslo::messaging::notify
