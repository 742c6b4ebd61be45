// A small fast random engine. Not for secrets.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace oslo::messaging {

/// Spreads the bits of `x`; a bijection (the finaliser of splitmix64).
constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// xoshiro256**: 256 bits of state, about 1 ns a number, the same sequence on every platform.
class random_engine {
 public:
  using result_type = std::uint64_t;

  explicit constexpr random_engine(std::uint64_t seed) noexcept {
    for (auto& word : state_) word = mix64(seed += 0x9e3779b97f4a7c15u);
  }
  explicit constexpr random_engine(const std::array<std::uint64_t, 4>& state) noexcept
      : state_(state) {
    // The all-zero state is the only one that the generator never leaves.
    if ((state_[0] | state_[1] | state_[2] | state_[3]) == 0) state_[0] = 1;
  }

  static constexpr result_type min() noexcept { return 0; }
  static constexpr result_type max() noexcept { return ~result_type{0}; }

  constexpr result_type operator()() noexcept {
    const std::uint64_t out = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return out;
  }

  /// A number from 0 to `bound - 1`. Precondition: `bound` is not 0. Its bias is below 2^-32 for
  /// bounds below 2^32, which is all that host lists and waits need.
  constexpr std::uint64_t below(std::uint64_t bound) noexcept { return (*this)() % bound; }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace oslo::messaging
