// What every fuzz target needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

/// A property that must hold for any input.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "Does not hold: %s\n", what);
  std::abort();
}

inline std::string_view text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Takes one octet from the front, 0 when there is none.
inline std::uint8_t octet(std::string_view& from) {
  if (from.empty()) return 0;
  const auto v = static_cast<std::uint8_t>(from.front());
  from.remove_prefix(1);
  return v;
}

}  // namespace fuzz
