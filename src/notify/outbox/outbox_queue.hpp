// What an outbox holds, and the rules by which it comes and goes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/notify/notification_driver.hpp>
#include <oslo/messaging/notify/outbox.hpp>
#include <vector>

namespace oslo::messaging::notify {

/// A message from its admission to its end.
struct outbox_entry {
  outgoing_notification message{};
  unique_function<void(const delivery_report&)> done{};
  std::size_t bytes = 0;            ///< set before it is admitted
  std::vector<std::size_t> left{};  ///< sinks that have not taken it

  // Of the queue.
  std::uint64_t number = 0;  ///< in the order of admission, from 1 on; 0: not admitted
  std::optional<std::chrono::steady_clock::time_point> deadline{};
  std::size_t under_way = 0;         ///< sinks that have not answered
  std::optional<failure> passing{};  ///< the last one
  bool try_later = false;            ///< the attempt under way has failed with that
  std::optional<failure> for_good{};
  bool alone = false;  ///< is sent by itself, to find out whether it is the one that is refused
  bool ended = false;
};

/// The queue of an outbox as a value: bounds, the rule when it is full, order, the window of what
/// is on its way, repeats and pauses, giving up. It knows no thread, lock, loop or clock: whoever
/// sends passes the time in, and learns what has come to its end.
class outbox_queue {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using entry_ptr = std::shared_ptr<outbox_entry>;

  /// A message that has come to its end, and how.
  struct ending {
    entry_ptr of;
    delivery_outcome what;
    failure why{};
  };
  using endings = std::vector<ending>;

  enum class decision : std::uint8_t {
    taken,      ///< and counted; it may have ended at once, as dropped
    refused,    ///< not counted here: `refuse` is for the sender, who knows of waits
    must_wait,  ///< by rule `wait` there may be room later
  };
  struct admission {
    decision what;
    failure why{};          ///< of a refusal
    bool overflow = false;  ///< there was no room, whatever came of it
  };

  /// What has to be known of the world around to admit a message.
  struct circumstances {
    bool others_wait = false;  ///< messages that came before wait for room
    bool may_wait = true;      ///< one more may
    bool may_drop = true;      ///< the reports of dropped messages have room
  };

  explicit outbox_queue(const outbox_options& o)
      : max_messages_(o.max_messages),
        max_bytes_(o.max_bytes),
        window_(o.window),
        rule_(o.rule),
        give_up_after_(o.give_up_after) {}

  // ---- coming in

  admission admit(const entry_ptr& e, time_point now, const circumstances& c, endings& out);
  bool fits(const outbox_entry& e) const noexcept;
  /// Takes one that has waited for its room. Precondition: it fits.
  void take_in(const entry_ptr& e, time_point now);
  void refuse() noexcept { ++counts_.refused; }
  /// The refusal of what does not fit.
  failure full() const;

  // ---- going out

  /// Whether `next` would give one, or end one.
  bool can_send(time_point now) const noexcept;
  /// The next message to send to the sinks that are left, its timeout set; null: none now. What has
  /// waited too long ends instead.
  entry_ptr next(time_point now, endings& out);

  /// What an answer has led to.
  struct progress {
    bool ended = false;                 ///< the message left, and made room
    std::optional<time_point> pause{};  ///< has begun, and lasts until then
    bool is_well_again = false;         ///< the first that was delivered after a pause
  };
  /// The answer of a sink; without one: all that were asked know it, and the message may be changed
  /// again. `refused_as_a_whole`: the bus refuses whoever is connected, and not this message.
  progress answer(const entry_ptr& e, std::optional<std::size_t> sink, const result<void>& r,
                  bool refused_as_a_whole, time_point now, endings& out);

  // ---- the end

  /// Takes nothing more.
  void close() noexcept { closing_ = true; }
  /// Everything that it holds has failed.
  void give_up(endings& out);
  bool given_up() const noexcept { return given_up_; }

  std::uint64_t last_number() const noexcept { return last_number_; }
  std::size_t held() const noexcept { return waiting_.size() + on_the_way_.size(); }
  outbox_counts counts() const noexcept;

 private:
  void number(const entry_ptr& e) noexcept;
  bool drop_for(const outbox_entry& e, endings& out);
  void end(const entry_ptr& e, delivery_outcome what, failure why, endings& out);
  void begin_pause(time_point now, progress& p) noexcept;

  const std::size_t max_messages_, max_bytes_, window_;
  const when_full rule_;
  const std::optional<std::chrono::milliseconds> give_up_after_;

  std::map<std::uint64_t, entry_ptr> waiting_, on_the_way_;  // by number
  std::size_t bytes_ = 0;                                    // of both
  std::size_t waiting_bytes_ = 0;
  std::uint64_t last_number_ = 0;
  outbox_counts counts_;
  bool closing_ = false;
  bool given_up_ = false;
  bool is_ill_ = false;
  time_point paused_until_ = time_point::min();
  std::chrono::milliseconds pause_{0};
};

}  // namespace oslo::messaging::notify
