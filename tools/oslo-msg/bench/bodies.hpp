// What the messages of a benchmark carry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging::cli {

/// Arguments {"data": "..."}: all of one length, or 1,000 distinct ones whose lengths are
/// distributed as those of oslo.messaging's simulator (a replay of a cloud: median 2.4 kB, 95 % up
/// to 6.6 kB, 0.8 to 11.3 kB). The same ones in every run. Or two integers, which the typed calls
/// of bench/work.hpp make themselves.
///
/// Thread safety: const members from any thread.
class bench_bodies {
 public:
  static constexpr std::size_t most_bytes = std::size_t{16} << 20;

  /// `kind`: a number of bytes, "simulator" or "int". Throws `usage_error`.
  explicit bench_bodies(std::string_view kind);

  bool integers() const noexcept { return arguments_.empty(); }
  /// For message number `n`, as JSON text. Precondition: not integers.
  const std::string& arguments(std::uint64_t n) const noexcept {
    return arguments_[static_cast<std::size_t>(n % arguments_.size())];
  }
  /// As it was asked for.
  const std::string& kind() const noexcept { return kind_; }

 private:
  std::string kind_;
  std::vector<std::string> arguments_;
};

}  // namespace oslo::messaging::cli
