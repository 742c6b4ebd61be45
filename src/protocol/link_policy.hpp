// What to do next about one connection to a broker, decided without a socket.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "protocol/backoff.hpp"
#include "protocol/host_race.hpp"
#include "protocol/link_action.hpp"

namespace oslo::messaging::protocol {

struct link_policy_options {
  std::vector<endpoint> hosts;  ///< at least one
  backoff_options backoff;      ///< between passes over the hosts
  /// Of each look-up, and of each dial (TCP, and TLS).
  std::chrono::milliseconds connect_timeout{5'000};
  /// The longest pause after a pass in which every host gave a verdict (credentials, vhost, TLS):
  /// slow, because only an operator can help.
  std::chrono::milliseconds verdict_pause{10'000};
  std::string purpose;  ///< for log lines
  /// Each pass in an order of its own; else they go on from host to host.
  bool shuffle = false;
  /// A lost connection is tried again after up to that long, evenly distributed.
  std::chrono::milliseconds splay{0};
};

/// Keeps one connection wanted from `open` until `shut`: passes over the hosts, with pauses in
/// between, each pass starting behind the host that was used last.
///
/// Events and the time go in; actions come out, to be obeyed in their order. In every state but
/// idle, open and shut either an answer to an action is due, or `next_wake` is set: it is never
/// stuck as long as `fault` is told of whatever could not be obeyed.
///
/// A verdict of one host counts once every host has given one in the same pass.
///
/// Thread safety: one thread at a time. No clock.
class link_policy {
 public:
  using instant = std::chrono::steady_clock::time_point;
  /// A connection that lived shorter does not count as good: without this, a broker that accepts us
  /// and throws us out at once would be called again and again without a pause.
  static constexpr std::chrono::seconds good_after{2};
  /// One that was of use counts as good however short it lived, as long as it is not the rule: each
  /// costs `good_after` of what time gives back, and so many may be owed. In the long run that is
  /// no more connections than of those that live for `good_after` each.
  static constexpr int young_at_once = 3;
  /// The same failure is worth a line again after that long.
  static constexpr std::chrono::seconds say_again_after{30};

  /// `seed`: take `random_bits()`. Throws `configuration_error` without a host.
  link_policy(link_policy_options options, std::uint64_t seed);

  // What the user wants.
  link_actions open(instant now);
  /// `limit`: how long to wait for the broker's goodbye.
  link_actions shut(std::chrono::milliseconds limit, instant now);

  // What became of the actions.
  link_actions resolved(act::try_id id, const std::vector<std::string>& addresses, instant now);
  link_actions connected(act::try_id id, instant now);
  /// `answered`: somebody was there.
  link_actions failed(act::try_id id, failure why, bool answered, instant now);
  link_actions opened(instant now);
  link_actions ended(const amqp091::close_reason& why, instant now);
  /// For ends that the protocol has no words for.
  link_actions ended(failure why, instant now);
  /// Something could not be obeyed, and nobody knows how far it came: all tries and the connection
  /// are void. The caller has dropped them already.
  link_actions fault(failure why, instant now);

  /// The user got what the connection is for: a confirm, a message.
  void worked() noexcept { worked_ = true; }
  link_actions blocked(bool on);
  link_actions tick(instant now);
  /// When to call `tick`; `instant::max()`: never.
  instant next_wake() const noexcept;

  bool is_idle() const noexcept { return phase_ == phase::idle; }
  bool is_open() const noexcept { return phase_ == phase::open; }
  bool is_shut() const noexcept { return phase_ == phase::parting || phase_ == phase::shut; }
  bool is_blocked() const noexcept { return blocked_; }
  /// Where the link is or was last trying to be; empty before that.
  const std::string& where() const noexcept { return where_; }
  const std::optional<failure>& last_failure() const noexcept { return last_failure_; }
  /// The same when every host has refused us.
  const failure* verdict() const noexcept { return verdict_ ? &*last_failure_ : nullptr; }

 private:
  enum class phase : std::uint8_t {
    idle,
    pausing,    ///< a pass begins at `wake_`
    searching,  ///< look-ups and dials
    greeting,   ///< one has won; the handshake of AMQP
    open,
    parting,  ///< goodbye was said; at `wake_` that has taken too long
    shut,
  };

  void begin_pass(instant now, link_actions& out);
  void after_race(instant now, link_actions& out);
  void end_pass(failure why, bool verdict, bool answered, instant now, link_actions& out);
  void lose(link_loss loss, instant now, link_actions& out);
  link_actions end(link_loss loss, instant now);
  std::chrono::milliseconds pause_after_loss(instant now);
  void pause(std::chrono::milliseconds limit, instant now);
  void start_behind(std::size_t host);
  void shuffle();
  void finish(link_actions& out);
  void complain(const failure& why, log_level level, instant now, link_actions& out);

  link_policy_options options_;
  random_engine random_;
  backoff backoff_;
  std::vector<std::size_t> order_;  ///< shuffled once: clients spread over the hosts
  host_race race_;

  phase phase_ = phase::idle;
  instant wake_{};
  instant open_since_{};
  bool worked_ = false;   ///< the connection that is open
  instant paid_until_{};  ///< what connections that worked and died young have cost
  bool blocked_ = false;
  std::string where_;
  std::optional<failure> last_failure_;
  bool verdict_ = false;
  std::vector<std::pair<std::string, instant>>
      said_;  ///< failures logged lately for people to read
};

}  // namespace oslo::messaging::protocol
