#include "bench/histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace oslo::messaging::cli {
namespace {

// A duration is kept with its 8 leading bits: bucket = 128 * (bits dropped) + the bits kept.
constexpr std::size_t step = 128;
constexpr std::size_t bucket_count = step * 57 + step;

std::size_t bucket_of(std::uint64_t ns) noexcept {
  const auto width = static_cast<std::size_t>(std::bit_width(ns));
  const std::size_t dropped = width > 8 ? width - 8 : 0;
  return step * dropped + static_cast<std::size_t>(ns >> dropped);
}

std::uint64_t middle_of(std::size_t bucket) noexcept {
  if (bucket < 2 * step) return bucket;
  const std::size_t dropped = bucket / step - 1;
  const std::uint64_t kept = bucket - step * dropped;
  return (kept << dropped) + (std::uint64_t{1} << dropped) / 2;
}

}  // namespace

latency_histogram::latency_histogram() : buckets_(bucket_count) {}

void latency_histogram::add(std::chrono::nanoseconds d) noexcept {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(d.count(), 0));
  buckets_[bucket_of(ns)].fetch_add(1, std::memory_order_relaxed);
  auto longest = longest_.load(std::memory_order_relaxed);
  while (ns > longest && !longest_.compare_exchange_weak(longest, ns, std::memory_order_relaxed)) {
  }
}

void latency_histogram::add(const latency_histogram& other) noexcept {
  for (std::size_t i = 0; i < bucket_count; ++i) buckets_[i] += other.buckets_[i];
  longest_ = std::max(longest_.load(), other.longest_.load());
}

void latency_histogram::clear() noexcept {
  for (auto& bucket : buckets_) bucket.store(0, std::memory_order_relaxed);
  longest_ = 0;
}

std::uint64_t latency_histogram::count() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& bucket : buckets_) sum += bucket.load(std::memory_order_relaxed);
  return sum;
}

std::chrono::nanoseconds latency_histogram::at(double fraction) const noexcept {
  const auto longest = longest_.load(std::memory_order_relaxed);
  const auto wanted =
      static_cast<std::uint64_t>(std::ceil(fraction * static_cast<double>(count())));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; fraction < 1 && i < bucket_count; ++i) {
    sum += buckets_[i].load(std::memory_order_relaxed);
    if (sum >= std::max<std::uint64_t>(wanted, 1))
      return std::chrono::nanoseconds{std::min(middle_of(i), longest)};
  }
  return std::chrono::nanoseconds{longest};
}

}  // namespace oslo::messaging::cli
