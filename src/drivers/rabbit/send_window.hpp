// What is on the wire and not confirmed, by the sequence numbers of one channel.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>

#include "drivers/rabbit/pending_send.hpp"

namespace oslo::messaging::rabbit {

/// The one list of sequence numbers: confirms and returns are matched here. A value without a
/// clock. Whatever runs inside a callback may add and take.
class send_window {
 public:
  using instant = pending_send::instant;

  /// Numbers begin at 1 again. Precondition: empty.
  void begin_channel() noexcept {
    first_ = 1;
    return_from_ = 1;
    forgotten_ = 0;
  }
  void add(send_ptr s, instant now) {
    if (s->awaited) ++awaited_;
    ++size_;
    entries_.push_back({std::move(s), now});
  }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }        ///< unconfirmed
  std::size_t awaited() const noexcept { return awaited_; }  ///< of these, those somebody waits for
  /// Sends of this channel whose confirm was given up: the broker still counts them.
  std::size_t forgotten() const noexcept { return forgotten_; }
  /// When the oldest was written.
  std::optional<instant> oldest() const {
    if (entries_.empty()) return std::nullopt;
    return entries_.front().written;
  }

  /// Calls `each(send_ptr)` for those that a confirm settles. Repeats settle nothing.
  template <class Each>
  void confirm(std::uint64_t sequence, bool multiple, Each&& each) {
    if (!multiple) {
      if (sequence < first_ || sequence - first_ >= entries_.size()) return;
      auto s = take(entries_[sequence - first_]);
      drop_settled();
      if (s) each(std::move(s));
      return;
    }
    while (!entries_.empty() && first_ <= sequence) {
      auto s = take(entries_.front());
      entries_.pop_front();
      ++first_;
      if (s) each(std::move(s));
    }
    drop_settled();
  }

  /// The oldest mandatory send that a return can be about; null when there is none. Two messages
  /// are never alike: each body holds an id of its own.
  pending_send* match_return(std::string_view exchange, std::string_view routing_key,
                             std::string_view body);

  /// Gives up the confirms of what was written before `limit`; calls `each(send_ptr)` for each.
  template <class Each>
  void forget_before(instant limit, Each&& each) {
    while (!entries_.empty() && entries_.front().written < limit) {
      auto s = take(entries_.front());
      entries_.pop_front();
      ++first_;
      if (!s) continue;
      ++forgotten_;
      each(std::move(s));
    }
    drop_settled();
  }

  /// The oldest send; null when there is none.
  const pending_send* first() const noexcept {
    return entries_.empty() ? nullptr : entries_.front().send.get();
  }
  /// The send with the highest number; null when it is settled.
  const pending_send* last() const noexcept {
    return entries_.empty() ? nullptr : entries_.back().send.get();
  }
  template <class Each>
  void for_each(Each&& each) {
    for (auto& e : entries_)
      if (e.send) each(*e.send);
  }
  /// Everything unconfirmed, oldest first. Confirms that are still to come mean nobody.
  std::deque<send_ptr> take_all();

 private:
  struct entry {
    send_ptr send;  ///< null: settled
    instant written;
  };

  send_ptr take(entry& e) noexcept {
    auto s = std::exchange(e.send, nullptr);
    if (s) {
      --size_;
      if (s->awaited) --awaited_;
    }
    return s;
  }
  void drop_settled() {
    while (!entries_.empty() && !entries_.front().send) {
      entries_.pop_front();
      ++first_;
    }
  }
  pending_send* find_returned(std::uint64_t from, std::uint64_t to, std::string_view exchange,
                              std::string_view routing_key, std::string_view body);

  std::deque<entry> entries_;
  std::uint64_t first_ = 1;        ///< sequence number of the front
  std::uint64_t return_from_ = 1;  ///< behind the last return: they come in the order of publishing
  std::size_t size_ = 0;
  std::size_t awaited_ = 0;
  std::size_t forgotten_ = 0;
};

}  // namespace oslo::messaging::rabbit
