// How long a measurement waits for others.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <stdexcept>
#include <string>

namespace oslo::messaging::cli {

/// How long a server may take to start, to end, or to go without taking a message.
constexpr std::chrono::seconds bench_patience{60};

/// Waits for `all` as long as `taken` moves on to `count`. Throws `std::runtime_error` when it does
/// not; `came` says of what: "messages came".
template <class T>
T wait_while_taking(std::future<T> all, const std::atomic<std::uint64_t>& taken,
                    std::uint64_t count, const char* came) {
  for (std::uint64_t before = 0; all.wait_for(bench_patience) != std::future_status::ready;) {
    const auto now = taken.load();
    if (now == before)
      throw std::runtime_error{"Only " + std::to_string(now) + " of " + std::to_string(count) +
                               " " + came + "."};
    before = now;
  }
  return all.get();
}

}  // namespace oslo::messaging::cli
