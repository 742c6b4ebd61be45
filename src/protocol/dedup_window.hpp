// Which messages have been seen lately.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string_view>
#include <unordered_set>

namespace oslo::messaging::protocol {

struct dedup_limits {
  std::chrono::milliseconds age = std::chrono::minutes(10);
  std::size_t count = 65'536;
};

/// Remembers the `_unique_id` of messages for a time, to recognise a second delivery. Oslo keeps
/// the last 16 ids of a listener.
///
/// A copy has the content of the first one, too: peers may number their messages, and two of them
/// may do so on one queue. `content` is a hash of it, of the caller's making.
///
/// Keeps 128 seeded hash bits of id and content and not the text, so a long id costs no memory;
/// that two share them by chance will not happen. About 80 bytes an id.
///
/// Thread safety: one thread at a time. No clock: the caller says what time it is.
class dedup_window {
 public:
  using instant = std::chrono::steady_clock::time_point;

  /// `seed`: take `random_bits()`.
  explicit dedup_window(std::uint64_t seed, dedup_limits limits = {})
      : seed_(seed), limits_(limits) {}

  /// Whether the id was remembered; remembers it from now on if not. A second sight does not
  /// prolong the memory of the first. An empty id is never remembered.
  bool seen(std::string_view id, std::uint64_t content, instant now);
  /// Whether the id is remembered; changes nothing about that.
  bool contains(std::string_view id, std::uint64_t content, instant now);

  /// The message comes again and is to be taken: its id is new then. Looks through the youngest
  /// ids first.
  void forget(std::string_view id, std::uint64_t content);

  std::size_t size() const noexcept { return order_.size(); }

 private:
  using key = std::array<std::uint64_t, 2>;
  struct first_word {
    std::size_t operator()(const key& k) const noexcept { return k[0]; }
  };
  struct sighting {
    key id;
    instant when;
  };

  key key_of(std::string_view id, std::uint64_t content) const noexcept;
  void forget_before(instant now);

  std::uint64_t seed_;
  dedup_limits limits_;
  std::unordered_set<key, first_word> known_;
  std::deque<sighting> order_;  // oldest first
};

}  // namespace oslo::messaging::protocol
