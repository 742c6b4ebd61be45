// Acknowledgements of one channel: which deliveries wait for one, and how to say many at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocol/amqp091/ring.hpp"

namespace amqp091 {

/// A frame with `multiple` settles everything up to its tag, and a tag that the broker does not
/// hold (any more) closes the channel with 406. So only the oldest unbroken run can be folded, its
/// last tag must be one that waits, and everything behind a gap is acknowledged alone.
class ack_folder {
 public:
  /// Deliveries that may wait for an acknowledgement on one channel.
  static constexpr std::size_t max_unsettled = std::size_t{1} << 20;

  /// Throws `violation` when tags do not rise or too many wait.
  void delivered(std::uint64_t tag, bool from_stream = false);
  /// Notes an acknowledgement for `flush`. False: the tag waits for none.
  bool ack(std::uint64_t tag);
  /// Forgets a tag that is settled in another way. False: the tag waits for none.
  bool settle(std::uint64_t tag);
  /// It waits, and came from a stream.
  bool is_from_stream(std::uint64_t tag) noexcept;

  /// Calls `write(tag, multiple)` for as few frames as can say what was noted.
  template <class Write>
  void flush(Write&& write) {
    if (noted_.empty()) return;
    std::uint64_t top = 0;
    std::size_t folded = 0;
    while (!entries_.empty() && entries_.front().what != status::waiting) {
      if (entries_.front().what == status::noted) {
        top = entries_.front().tag;
        ++folded;
      }
      entries_.pop_front();
    }
    if (folded > 0) write(top, folded > 1);
    for (const std::uint64_t tag : noted_) {
      if (tag <= top) continue;
      write(tag, false);
      find(tag)->what = status::settled;
    }
    noted_.clear();
  }

 private:
  enum class status : std::uint8_t { waiting, noted, settled };
  struct entry {
    std::uint64_t tag = 0;
    status what = status::settled;
    bool from_stream = false;
  };
  entry* find(std::uint64_t tag) noexcept;

  ring<entry> entries_;  // tags rise; the front is never settled between calls
  std::vector<std::uint64_t> noted_;
  std::uint64_t last_ = 0;
};

}  // namespace amqp091
