// A bounded queue in front of a notifier: the application posts and goes on, whatever state the bus
// is in.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/notify/detail/payload.hpp>
#include <oslo/messaging/notify/notifier.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// What an outbox without room does with the next message.
enum class when_full : std::uint8_t {
  wait,         ///< `post` waits for room, at most `wait_limit`, then refuses it
  drop_oldest,  ///< the message that has waited longest is dropped for it
  drop_newest,  ///< it is dropped itself; `post` succeeds
  error,        ///< `post` refuses it
};

/// How it ended for one message.
enum class delivery_outcome : std::uint8_t {
  delivered,  ///< the bus has taken responsibility, for every driver and topic
  dropped,    ///< by rule `drop_oldest` or `drop_newest`
  failed,     ///< given up, or refused by the bus for good
};

/// The report on one message. Valid during the call that gets it.
struct delivery_report {
  delivery_outcome what = delivery_outcome::delivered;  ///< how it ended
  failure why{};                  ///< no failure (code 0) for what was delivered
  std::string_view message_id{};  ///< as in the message
  std::string_view event_type{};  ///< as in the message
  notify::priority priority = notify::priority::info;  ///< as in the message
};

/// Limits of an outbox, and what it does at them.
struct outbox_options {
  /// Stands in log lines and, as label `outbox`, in measurements.
  std::string name = "notifications";
  /// What an outbox holds at most: messages accepted and not yet delivered, dropped or failed, and
  /// the bytes of their texts and contexts.
  std::size_t max_messages = 10'000;
  std::size_t max_bytes = std::size_t{64} << 20;  ///< of texts and contexts
  when_full rule = when_full::error;              ///< for the next message when there is no room
  /// How long rule `wait` waits for room.
  std::chrono::milliseconds wait_limit = std::chrono::seconds(1);
  /// Messages handed to the bus and not yet confirmed by it. They are sent in order, one after the
  /// other without waiting; what is on its way is not dropped any more.
  std::size_t window = 1'000;
  /// A message that could not be delivered this long after it was accepted has failed. None: it is
  /// tried until the outbox is closed.
  std::optional<std::chrono::milliseconds> give_up_after{};
  /// How long the destructor lets what is still there be delivered. 0: not at all.
  std::chrono::milliseconds linger = std::chrono::seconds(5);
  /// Gets the report of every message that was not posted with a function of its own.
  std::function<void(const delivery_report&)> on_report{};
};

/// What became of all messages since the outbox was made.
struct outbox_counts {
  std::uint64_t accepted = 0;   ///< delivered + dropped + failed + held
  std::uint64_t delivered = 0;  ///< as `delivery` says
  std::uint64_t dropped = 0;    ///< likewise
  std::uint64_t failed = 0;     ///< likewise
  std::uint64_t refused = 0;    ///< `post` gave an error
  std::size_t held = 0;         ///< messages that wait or are on their way
  std::size_t bytes = 0;        ///< of those
};

/// Sends notifications behind the back of the application, in order, so that an outage of the bus
/// costs it neither time nor memory beyond the limits above.
///
/// What fails because the bus is out of reach, refuses the login or has no room stays in the outbox
/// and is tried again: when the driver has reconnected, or after pauses of 0.1 s to 5 s. Order is
/// kept except that messages which the bus refused for the moment come again behind others that
/// were on their way. What the bus refuses for good (too large, no permission for its exchange) has
/// failed. A message with several drivers and topics is repeated only where it has not arrived. It
/// keeps the time and id it was posted with. Delivery is at least once, as with every notifier;
/// options `retry` and `timeout` of the notifier do not count here, `give_up_after` does.
///
/// For every message that `post` accepted there is one report, on the transport's loop; those of
/// what `close` or the destructor give up may come on the thread that calls them. One report comes
/// after the other, never two at once. A report may post; it must not wait.
///
/// Nothing throws, except the constructor.
/// Thread safety: all members from any thread, except for the destructor.
class outbox {
 public:
  /// Throws `configuration_error` for limits that are not positive.
  explicit outbox(notifier through, outbox_options o = {});
  /// `close(linger)`. On the transport's loop, and on the only thread that runs it, it does not
  /// wait.
  ~outbox();
  outbox(const outbox&) = delete;
  outbox& operator=(const outbox&) = delete;

  /// Takes the message, or says why not: `errc::limit_exceeded` (full; with rule `wait` for the
  /// whole of `wait_limit`), `would_deadlock` (it would have to wait on the transport's loop, or
  /// on the only thread that runs it, which makes the room), `not_sent` (the notifier has no
  /// driver), `serialization_failed`, `closed`, `wrong_process` (in a child of the process that
  /// made it), or what the application's serializer throws. A message that is refused has no
  /// report. Returns at once, unless the rule is `wait`. `done` gets the report of this message
  /// instead of `on_report`.
  template <class P>
  result<void> post(notify::priority p, context ctxt, std::string_view event_type, const P& payload,
                    unique_function<void(const delivery_report&)> done = {}) {
    return post_text(p, ctxt, event_type, detail::payload_text(payload), std::move(done));
  }
  /// The same with a payload that is JSON text.
  result<void> post_json(notify::priority p, const context& ctxt, std::string_view event_type,
                         std::string_view payload_json,
                         unique_function<void(const delivery_report&)> done = {});

  /// `post` for coroutines: by rule `wait` it suspends the coroutine and not the thread. Cancelling
  /// it has no effect before `wait_limit`.
  template <class P>
  [[nodiscard]] boost::asio::awaitable<result<void>> when_posted(notify::priority p, context ctxt,
                                                                 std::string_view event_type,
                                                                 P&& payload) {
    detail::refuse_broken_temporary<P>();
    return awaitable_post(p, std::move(ctxt), event_type, detail::payload_text(payload));
  }
  /// The erased core: `accepted` gets what `post` would return, once, before this returns or later
  /// on any thread.
  void async_post_json(notify::priority p, const context& ctxt, std::string_view event_type,
                       std::string_view payload_json, unique_function<void(result<void>)> accepted,
                       unique_function<void(const delivery_report&)> done = {});

  /// Waits until everything accepted before is reported: `errc::timed_out` when that takes longer
  /// than `limit`, `would_deadlock` on the transport's loop, on the only thread that runs it, and
  /// inside of a report.
  result<void> flush(std::chrono::milliseconds limit);
  /// `flush` for coroutines, which are suspended, so that it never is `would_deadlock`.
  [[nodiscard]] boost::asio::awaitable<result<void>> when_flushed(std::chrono::milliseconds limit);
  /// The erased core; `done` is called once, on the transport's loop or on a thread that closes the
  /// outbox, never before this returned.
  void async_flush(std::chrono::milliseconds limit, unique_function<void(result<void>)> done);

  /// Takes nothing more, gives what it holds `limit` to be delivered, and then gives up the rest:
  /// reports of `errc::closed`. Afterwards every message is reported, also when it was called on
  /// the transport's loop or on the only thread that runs it (where it does not wait), except when
  /// it is called inside of a report: then the others follow that one. Idempotent.
  void close(std::chrono::milliseconds limit);

  /// All of one moment.
  outbox_counts counts() const;
  /// The notifier that it was made with.
  const notifier& through() const noexcept;

 private:
  class sender;

  result<void> post_text(notify::priority p, const context& ctxt, std::string_view event_type,
                         const result<std::string>& payload,
                         unique_function<void(const delivery_report&)> done);
  boost::asio::awaitable<result<void>> awaitable_post(notify::priority p, context ctxt,
                                                      std::string_view event_type,
                                                      result<std::string> payload);

  notifier through_;
  std::shared_ptr<sender> sender_;
};

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
