// The exchange table that all fake:// transports of a process share.
#pragma once

#include <boost/container/small_vector.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <forward_list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "protocol/call_tracker.hpp"

namespace oslo::messaging::inproc {

class node;
class queue_reader;

/// Who waits for the reply to a message.
struct reply_address {
  std::weak_ptr<node> caller;
  protocol::call_id id;
};

/// A message, shared by all its receivers and not changed once it is delivered.
class content {
 public:
  /// Throws `messaging_error` (`errc::malformed_message`) when `body` is not one JSON object.
  content(std::string&& body, context&& ctxt);
  content(const content&) = delete;
  content& operator=(const content&) = delete;

  std::span<const message_field> fields() const noexcept {
    return {fields_.data(), fields_.size()};
  }
  const context& ctxt() const noexcept { return merged_ ? *merged_ : ctxt_; }
  /// The inner message as another bus would carry it; empty when it is not UTF-8. Any thread.
  std::string_view text() const noexcept;
  std::size_t bytes() const noexcept { return body_.size(); }

  std::vector<message_header> headers{};
  std::optional<reply_address> reply_to{};
  /// What the caller accepts without a heartbeat.
  std::optional<std::chrono::milliseconds> monitor{};
  std::optional<scheduler::time_point> deadline{};  ///< when the caller stops waiting

 private:
  void write_text() const;

  std::string body_;
  context ctxt_;
  boost::container::small_vector<message_field, 5> fields_;
  std::forward_list<std::string> decoded_keys_;  // of keys that have escapes
  std::unique_ptr<const context> merged_;        // when the body has entries, too
  mutable std::once_flag text_asked_for_;
  mutable std::string text_;
};

struct waiting_message {
  std::shared_ptr<const content> what;
  bool redelivered = false;
  std::size_t requeues = 0;  ///< by handlers, not by a receiver that went away
};

/// Bounds of one queue. Beyond them a send fails with `errc::limit_exceeded`.
struct queue_limits {
  std::size_t messages = 100'000;
  std::size_t bytes = std::size_t{256} << 20;
};

/// Messages in order, and who takes them. Guarded by the bus.
struct queue {
  std::deque<waiting_message> waiting{};
  std::size_t bytes = 0;
  std::vector<std::shared_ptr<queue_reader>> consumers{};
  std::size_t turn = 0;   ///< the consumer that is asked first for the next message
  bool declared = false;  ///< a listener has named it
};

/// Stands on the way of replies to their callers, for tests that lose or delay them. Called from
/// any thread.
class reply_gate {
 public:
  virtual ~reply_gate() = default;
  /// `deliver` hands the reply over, on any thread; dropping it loses the reply.
  virtual void pass(unique_function<void()> deliver) = 0;
  virtual bool lets_heartbeats_pass() const = 0;
};

/// Queues by exchange and topic; delivery rules of oslo's `fake`, with three differences: every
/// server that listens has a fanout queue of its own, which ends with it, a requeued message goes
/// back to the front of the queue it came from, and every queue is bounded.
///
/// Lives as long as the transports that use it: the last one empties it.
/// Thread safety: all members from any thread. Calls no code of the application.
class bus {
 public:
  explicit bus(queue_limits limits = {}, std::shared_ptr<reply_gate> gate = {})
      : limits_(limits), gate_(std::move(gate)) {}
  /// Null: replies go straight to their callers.
  reply_gate* gate() const noexcept { return gate_.get(); }
  static std::shared_ptr<bus> shared();

  struct destination {
    std::string_view exchange;
    std::string_view topic;
    std::optional<std::string_view> server{};
    bool fanout = false;
  };
  /// Puts the message into its queues, all or none.
  result<void> deliver(const destination& to, std::shared_ptr<const content> what,
                       bool at_least_once);

  /// The queues of an RPC server: the one of its name first, which servers of one name share, then
  /// one for fanouts that nobody else has, then the one that all servers of the topic share.
  std::vector<std::shared_ptr<queue>> declare_server(std::string_view exchange,
                                                     std::string_view topic,
                                                     std::string_view server);
  /// The queue of a notification listener. A new pool starts with a copy of what waits in the
  /// topic's default queue.
  std::shared_ptr<queue> declare_listener(std::string_view exchange, std::string_view topic,
                                          const std::optional<std::string>& pool);

  void attach(const std::shared_ptr<queue_reader>& consumer);
  void detach(const std::shared_ptr<queue_reader>& consumer);
  /// Gives a message back to the front of its queue.
  void requeue(queue& q, waiting_message m);

 private:
  friend class queue_reader;
  struct topic {
    std::shared_ptr<queue> common = std::make_shared<queue>();
    std::map<std::string, std::shared_ptr<queue>, std::less<>> servers{};
    std::vector<std::weak_ptr<queue>> fanouts{};  ///< their readers own them
    std::map<std::string, std::shared_ptr<queue>, std::less<>> pools{};
  };
  using wake_list = boost::container::small_vector<std::shared_ptr<queue_reader>, 4>;

  topic* known_topic(std::string_view exchange, std::string_view name);
  topic& find_topic(std::string_view exchange, std::string_view name);
  bool full(const queue& q, const content& what) const noexcept;
  static void push_back(queue& q, waiting_message m);
  static waiting_message pop_front(queue& q);
  /// Chooses a consumer that waits for a message of `q`.
  static void choose(queue& q, wake_list& to_wake);
  static void wake(const wake_list& chosen);

  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const noexcept {
      return std::hash<std::string_view>{}(s);
    }
  };

  const queue_limits limits_;
  const std::shared_ptr<reply_gate> gate_;
  std::mutex mutex_;
  std::unordered_map<std::string, topic, hash, std::equal_to<>> topics_;
  std::string key_;  // what known_topic looked for
};

/// A listener's end of its queues.
class queue_reader : public std::enable_shared_from_this<queue_reader> {
 public:
  struct taken {
    waiting_message message;
    std::shared_ptr<queue> from;
  };
  using batch = std::vector<taken>;

  queue_reader(std::shared_ptr<bus> b, std::shared_ptr<scheduler> loop,
               std::vector<std::shared_ptr<queue>> queues)
      : bus_(std::move(b)), loop_(std::move(loop)), queues_(std::move(queues)) {}

  /// See `listener::next`; runs `done` on the loop.
  void next(std::size_t max, unique_function<void(batch)> done);
  void stop();
  const std::shared_ptr<inproc::bus>& where() const noexcept { return bus_; }

 private:
  friend class bus;
  void serve();
  bool anything_waiting() const noexcept;
  void take(batch& out);

  const std::shared_ptr<bus> bus_;
  const std::shared_ptr<scheduler> loop_;
  const std::vector<std::shared_ptr<queue>> queues_;
  // Guarded by the bus.
  unique_function<void(batch)> done_;
  std::size_t max_ = 0;
  bool idle_ = false;  // has a pull that found nothing, and nobody has woken it since
  bool stopped_ = false;
};

}  // namespace oslo::messaging::inproc
