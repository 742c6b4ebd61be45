// One pass over the hosts: look-ups and dials that race each other.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>
#include <vector>

#include "protocol/link_action.hpp"

namespace oslo::messaging::protocol {

/// Tries every host of a pass, each at most at `max_addresses` of its addresses. The first try
/// starts at once, the next one when one has failed or when `stagger` has passed. The first that is
/// connected wins; the others are given up and wait in front of the queue, in case that the winner
/// fails in what follows. A host that has given a verdict is not tried at its other addresses.
///
/// Thread safety: one thread at a time. No clock.
class host_race {
 public:
  using instant = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds stagger{250};
  static constexpr std::size_t max_addresses = 16;
  static constexpr std::size_t max_dials = 4;
  static constexpr std::size_t max_look_ups = 4;

  /// `limit`: of each look-up, and of each dial.
  host_race(std::vector<endpoint> hosts, std::chrono::milliseconds limit)
      : hosts_(std::move(hosts)), limit_(limit), outcomes_(hosts_.size()) {}

  // Each appends to `out` what to do next. Answers of tries that were given up do nothing.
  void begin(const std::vector<std::size_t>& order, instant now, link_actions& out);
  void resolved(act::try_id id, const std::vector<std::string>& addresses, instant now,
                link_actions& out);
  /// True when this is the winner.
  bool connected(act::try_id id, link_actions& out);
  /// `answered`: somebody was there.
  void failed(act::try_id id, failure why, bool answered, instant now, link_actions& out);
  void winner_failed(failure why, instant now, link_actions& out);
  void tick(instant now, link_actions& out);
  /// Ends it before its time.
  void stop(link_actions& out);

  bool is_over() const noexcept { return !winner_ && tries_.empty() && queue_.empty(); }
  instant next_wake() const noexcept;

  /// The host of the winner or of the last try.
  std::size_t host() const noexcept { return winner_ ? *winner_ : last_host_; }
  bool answered() const noexcept { return answered_; }
  /// Every host has given a verdict.
  bool all_refused() const noexcept;
  /// What every host that failed has to say, in one sentence; verdicts come first.
  failure why() const;
  /// Of the hosts that gave one.
  std::vector<failure> verdicts() const;

 private:
  struct candidate {
    std::size_t host;
    std::string address;  ///< empty: to be looked up
  };
  struct attempt {
    act::try_id id;
    candidate what;
    instant deadline;
  };
  enum class worth : std::uint8_t { nothing, unreachable, answered, verdict };
  struct outcome {
    worth value = worth::nothing;
    failure why;
  };

  void advance(instant now, link_actions& out);
  std::deque<candidate>::const_iterator startable() const noexcept;
  std::optional<attempt> take(act::try_id id);
  void note(std::size_t host, failure why, bool answered, link_actions& out);

  std::vector<endpoint> hosts_;
  std::chrono::milliseconds limit_;
  std::vector<outcome> outcomes_;  ///< the most telling one of each host
  std::deque<candidate> queue_;
  std::vector<attempt> tries_;
  std::optional<std::size_t> winner_;
  std::size_t last_host_ = 0;
  act::try_id last_id_ = 0;
  instant next_start_{};
  bool answered_ = false;
};

}  // namespace oslo::messaging::protocol
