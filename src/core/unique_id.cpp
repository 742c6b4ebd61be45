#include "core/unique_id.hpp"

#include <array>
#include <cstring>
#include <random>
#include <string_view>

#include "core/random.hpp"
#include "core/tasks/fork_guard.hpp"

namespace oslo::messaging {
namespace {

/// "000102…ff": two digits a step.
constexpr auto hex_pairs = [] {
  constexpr char digits[] = "0123456789abcdef";
  std::array<char, 512> table{};
  for (std::size_t i = 0; i < 256; ++i) {
    table[2 * i] = digits[i >> 4];
    table[2 * i + 1] = digits[i & 15];
  }
  return table;
}();

/// What a digit is worth; 255: it is none.
constexpr auto hex_values = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(255);
  for (std::uint8_t i = 0; i < 16; ++i)
    table[static_cast<unsigned char>("0123456789abcdef"[i])] = i;
  return table;
}();

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
  for (int at = 14; at >= 0; at -= 2, value >>= 8)
    std::memcpy(out + at, hex_pairs.data() + 2 * (value & 0xff), 2);
}

std::optional<std::uint64_t> read_hex64(std::string_view digits) noexcept {
  std::uint64_t value = 0;
  unsigned seen = 0;
  for (const char c : digits) {
    const unsigned digit = hex_values[static_cast<unsigned char>(c)];
    seen |= digit;
    value = value << 4 | digit;
  }
  if (seen > 15) return std::nullopt;
  return value;
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
  const char* from = std::string_view(digits).data();
  std::string text(36, '-');
  char* to = text.data();
  for (const std::size_t length : {8u, 4u, 4u, 4u, 12u}) {
    std::memcpy(to, from, length);
    from += length;
    to += length + 1;  // past the dash
  }
  return text;
}

std::uint64_t random_bits() {
  return thread_engine()();
}

}  // namespace oslo::messaging
