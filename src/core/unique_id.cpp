#include "core/unique_id.hpp"

#include <array>
#include <random>
#include <string_view>

#include "core/fork_guard.hpp"
#include "core/random.hpp"

namespace oslo::messaging {
namespace {

random_engine seeded_engine() {
  std::random_device device;
  std::array<std::uint64_t, 4> state;
  for (auto& word : state) word = (std::uint64_t{device()} << 32) | device();
  return random_engine{state};
}

random_engine& thread_engine() {
  struct holder {
    fork_guard born;
    random_engine engine = seeded_engine();
  };
  thread_local holder here;
  // A child must not go on with its parent's sequence.
  if (here.born.in_child()) [[unlikely]]
    here = {};
  return here.engine;
}

}  // namespace

void write_hex64(char* out, std::uint64_t value) noexcept {
  for (int i = 15; i >= 0; --i, value >>= 4) out[i] = "0123456789abcdef"[value & 15];
}

unique_digits::unique_digits() {
  auto& next = thread_engine();
  const std::uint64_t high = (next() & ~std::uint64_t{0xf000}) | 0x4000;
  const std::uint64_t low = (next() >> 2) | (std::uint64_t{1} << 63);
  write_hex64(digits_.data(), high);
  write_hex64(digits_.data() + 16, low);
}

std::string unique_id() {
  return std::string(unique_digits());
}

std::string unique_id_dashed() {
  const unique_digits digits;
  const std::string_view all = digits;
  std::string text;
  text.reserve(36);
  text.append(all.substr(0, 8)).append(1, '-').append(all.substr(8, 4)).append(1, '-');
  text.append(all.substr(12, 4)).append(1, '-').append(all.substr(16, 4)).append(1, '-');
  return text.append(all.substr(20));
}

std::uint64_t random_bits() {
  return thread_engine()();
}

}  // namespace oslo::messaging
