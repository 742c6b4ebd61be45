// The calls of one transport that wait for a reply.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/unique_id.hpp"

namespace oslo::messaging::protocol {

/// Which limit of a call ran out.
enum class call_limit : std::uint8_t {
  total,    ///< the deadline of the call
  monitor,  ///< no heartbeat came for one monitor interval
};

/// The id of a call: 32 lower-case hex digits, kept in place.
class call_id {
 public:
  /// So many at its beginning are the same for all calls of a tracker, and for those of no other.
  static constexpr std::size_t digits_of_tracker = 16;
  explicit call_id(const std::array<char, 32>& digits) noexcept : digits_(digits) {}
  std::string_view view() const noexcept { return {digits_.data(), digits_.size()}; }
  std::string str() const { return std::string(view()); }
  bool operator==(const call_id&) const = default;

 private:
  std::array<char, 32> digits_;
};

/// Pending calls, each resolved exactly once: by `take` (reply, cancellation), by `next_expired`
/// (time), or by `take_all` (close). Which of them comes first gets the payload.
///
/// An id is a random prefix of the tracker followed by a ticket: the slot of the call (24 bits) and
/// a serial number (40 bits) that no two calls of the tracker share. A reply finds its call by
/// index, without hashing; an id of another tracker, of a resolved call, or of any other shape
/// finds nothing.
///
/// Deadlines are kept in a heap from which resolved calls are removed lazily: adding a call whose
/// deadline is the latest so far and taking one cost O(1), everything else O(log n). The heap never
/// holds more than twice the pending calls (and a small constant).
///
/// Payload must be nothrow move constructible. Costs `bytes_per_call` beside the payload; storage
/// grows by doubling and is kept until `take_all`.
/// Thread safety: one thread at a time. No clock: the caller says what time it is.
template <class Payload>
class call_tracker {
  static_assert(std::is_nothrow_move_constructible_v<Payload>);

 public:
  using clock = std::chrono::steady_clock;
  using instant = clock::time_point;
  using duration = clock::duration;

  static constexpr std::size_t max_capacity = std::size_t{1} << 24;

  struct expired_call {
    call_id id;
    Payload payload;
    call_limit limit;
    duration elapsed;  ///< since `add`
  };
  struct resolved_call {
    call_id id;
    Payload payload;
  };

  /// `prefix` tells the ids of this tracker from all others: take `random_bits()`.
  /// `capacity` bounds the pending calls (at most `max_capacity`).
  explicit call_tracker(std::uint64_t prefix, std::size_t capacity = max_capacity)
      : capacity_(std::min(capacity, max_capacity)) {
    write_hex64(prefix_.data(), prefix);
  }

  /// Enters a call. `deadline` absent: no total limit. `monitor` absent or not positive: no
  /// heartbeats expected, else the call also ends when none comes for that long, the first time
  /// counted from `now`. Throws `messaging_error` (`errc::limit_exceeded`) when `size() ==
  /// capacity()`; `payload` is then untouched. Invalidates pointers from `find`.
  call_id add(Payload&& payload, instant now, std::optional<instant> deadline,
              std::optional<duration> monitor = std::nullopt);

  /// Ends the call and returns its payload; nothing when the id names no pending call.
  std::optional<Payload> take(std::string_view id);
  std::optional<Payload> take(const call_id& id) { return take(id.view()); }

  /// The payload of a pending call, or null. Valid until the next `add`, `take` or expiry.
  Payload* find(std::string_view id) noexcept {
    slot* s = lookup(id);
    return s != nullptr ? &*s->payload : nullptr;
  }

  /// A sign of life: the monitor interval starts again at `now`. Never moves the total deadline.
  /// False when the id names no pending call. No effect on a call without a monitor.
  bool heartbeat(std::string_view id, instant now) noexcept {
    slot* s = lookup(id);
    if (s == nullptr) return false;
    // The call's place in the heap is corrected when its old deadline comes up.
    if (s->monitor != duration::zero())
      s->monitor_at = std::max(s->monitor_at, later(now, s->monitor));
    return true;
  }

  /// Ends and returns one call whose deadline is not after `now`, the earliest first; nothing when
  /// there is none. Call until it returns nothing.
  std::optional<expired_call> next_expired(instant now);

  /// When `next_expired` will next have something to return; nothing when no call has a limit.
  std::optional<instant> next_deadline() {
    settle_top();
    if (heap_.empty()) return std::nullopt;
    return heap_.front().when;
  }

  /// Ends all calls and returns them in the order in which they were added.
  std::vector<resolved_call> take_all();

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::size_t capacity() const noexcept { return capacity_; }
  static constexpr std::size_t bytes_per_call() noexcept {
    return sizeof(slot) - sizeof(Payload) + sizeof(node);
  }
  /// Heap nodes, live and dead: for tests of the bound.
  std::size_t heap_size() const noexcept { return heap_.size(); }

 private:
  using ticket = std::uint64_t;  // serial << 24 | slot; 0 marks a free slot
  static constexpr unsigned slot_bits = 24;
  static constexpr ticket slot_mask = (ticket{1} << slot_bits) - 1;
  static constexpr ticket max_serial = ~ticket{0} >> slot_bits;
  static constexpr std::size_t heap_slack = 64;

  struct slot {
    ticket owner = 0;
    std::uint32_t next_free = 0;
    instant added{};
    instant deadline{};
    instant monitor_at{};
    duration monitor{};
    std::optional<Payload> payload;

    instant due() const noexcept { return std::min(deadline, monitor_at); }
    bool has_limit() const noexcept { return due() != instant::max(); }
  };
  struct node {
    instant when;
    ticket owner;
  };
  // std heaps keep the largest in front. Equal deadlines come out in the order of adding.
  struct comes_later {
    bool operator()(const node& a, const node& b) const noexcept {
      return a.when != b.when ? a.when > b.when : a.owner > b.owner;
    }
  };

  static constexpr instant later(instant t, duration d) noexcept {
    return d >= instant::max() - t ? instant::max() : t + d;
  }

  slot* lookup(std::string_view id) noexcept;
  slot& slot_of(ticket t) noexcept { return slots_[t & slot_mask]; }
  call_id id_of(ticket t) const noexcept;
  void release(slot& s) noexcept;
  void push(node n);
  void pop() noexcept;
  void settle_top();
  void drop_dead_nodes();

  std::array<char, 16> prefix_;
  std::size_t capacity_;
  std::vector<slot> slots_;
  std::uint32_t first_free_ = 0;  // index + 1; 0 = none
  std::size_t size_ = 0;
  std::size_t limited_ = 0;  // pending calls that have a node in the heap
  ticket serial_ = 0;
  std::vector<node> heap_;
};

// ---- implementation -----------------------------------------------------------------------------

template <class Payload>
call_id call_tracker<Payload>::add(Payload&& payload, instant now, std::optional<instant> deadline,
                                   std::optional<duration> monitor) {
  if (size_ >= capacity_)
    throw_failure({errc::limit_exceeded,
                   "The limit of " + std::to_string(capacity_) + " pending calls is reached."});
  if (first_free_ == 0) {
    slots_.emplace_back();
    first_free_ = static_cast<std::uint32_t>(slots_.size());
  }
  if (heap_.size() == heap_.capacity()) heap_.reserve(2 * heap_.size() + 16);
  // Nothing below throws.
  const std::uint32_t index = first_free_ - 1;
  slot& s = slots_[index];
  first_free_ = s.next_free;
  serial_ = serial_ == max_serial ? 1 : serial_ + 1;
  s.owner = (serial_ << slot_bits) | index;
  s.added = now;
  s.deadline = deadline.value_or(instant::max());
  s.monitor = std::max(monitor.value_or(duration::zero()), duration::zero());
  s.monitor_at = s.monitor != duration::zero() ? later(now, s.monitor) : instant::max();
  s.payload.emplace(std::move(payload));
  ++size_;
  if (s.has_limit()) {
    ++limited_;
    push({s.due(), s.owner});
  }
  return id_of(s.owner);
}

template <class Payload>
std::optional<Payload> call_tracker<Payload>::take(std::string_view id) {
  slot* s = lookup(id);
  if (s == nullptr) return std::nullopt;
  std::optional<Payload> out(std::move(s->payload));
  release(*s);
  drop_dead_nodes();
  return out;
}

template <class Payload>
auto call_tracker<Payload>::next_expired(instant now) -> std::optional<expired_call> {
  settle_top();
  if (heap_.empty() || heap_.front().when > now) return std::nullopt;
  const ticket owner = heap_.front().owner;
  pop();
  slot& s = slot_of(owner);
  const call_limit limit = s.deadline <= s.monitor_at ? call_limit::total : call_limit::monitor;
  const duration elapsed = now - s.added;
  expired_call out{id_of(owner), std::move(*s.payload), limit, elapsed};
  release(s);
  drop_dead_nodes();
  return out;
}

template <class Payload>
auto call_tracker<Payload>::take_all() -> std::vector<resolved_call> {
  std::vector<ticket> owners;
  owners.reserve(size_);
  for (const slot& s : slots_)
    if (s.owner != 0) owners.push_back(s.owner);
  std::sort(owners.begin(), owners.end());
  std::vector<resolved_call> out;
  out.reserve(owners.size());
  for (const ticket owner : owners) {
    slot& s = slot_of(owner);
    out.push_back({id_of(owner), std::move(*s.payload)});
    release(s);
  }
  // Serial numbers go on, so ids of the calls that ended here stay unknown.
  slots_.clear();
  heap_.clear();
  first_free_ = 0;
  return out;
}

template <class Payload>
auto call_tracker<Payload>::lookup(std::string_view id) noexcept -> slot* {
  if (id.size() != 32 || std::memcmp(id.data(), prefix_.data(), prefix_.size()) != 0)
    return nullptr;
  const ticket t = read_hex64(id.substr(16)).value_or(0);
  const std::size_t index = t & slot_mask;
  if (t == 0 || index >= slots_.size() || slots_[index].owner != t) return nullptr;
  return &slots_[index];
}

template <class Payload>
call_id call_tracker<Payload>::id_of(ticket t) const noexcept {
  std::array<char, 32> digits;
  std::copy(prefix_.begin(), prefix_.end(), digits.begin());
  write_hex64(digits.data() + 16, t);
  return call_id{digits};
}

template <class Payload>
void call_tracker<Payload>::release(slot& s) noexcept {
  s.payload.reset();
  const auto index = static_cast<std::uint32_t>(s.owner & slot_mask);
  if (s.has_limit()) --limited_;
  s.owner = 0;
  s.next_free = first_free_;
  first_free_ = index + 1;
  --size_;
}

template <class Payload>
void call_tracker<Payload>::push(node n) {
  heap_.push_back(n);
  std::push_heap(heap_.begin(), heap_.end(), comes_later{});
}

template <class Payload>
void call_tracker<Payload>::pop() noexcept {
  std::pop_heap(heap_.begin(), heap_.end(), comes_later{});
  heap_.pop_back();
}

/// Brings a live call with its present deadline to the front of the heap.
template <class Payload>
void call_tracker<Payload>::settle_top() {
  while (!heap_.empty()) {
    const node top = heap_.front();
    const slot& s = slot_of(top.owner);
    if (s.owner == top.owner && s.due() == top.when) return;
    pop();
    if (s.owner == top.owner) push({s.due(), top.owner});
  }
}

template <class Payload>
void call_tracker<Payload>::drop_dead_nodes() {
  if (heap_.size() <= 2 * limited_ + heap_slack) return;
  std::erase_if(heap_, [&](const node& n) { return slot_of(n.owner).owner != n.owner; });
  std::make_heap(heap_.begin(), heap_.end(), comes_later{});
}

}  // namespace oslo::messaging::protocol
