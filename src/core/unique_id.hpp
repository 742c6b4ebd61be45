// Names that nobody else has: message ids, reply queues, consumer tags.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oslo::messaging {

/// A random (version 4) UUID as 32 lower-case hex digits, like Python's `uuid.uuid4().hex`.
///
/// Unique across processes, threads and forks; not a secret.
/// Thread safety: any thread; no lock.
std::string unique_id();

/// The same for messages, of which there are many: costs no allocation.
class unique_digits {
 public:
  unique_digits();
  operator std::string_view() const noexcept { return {digits_.data(), digits_.size()}; }

 private:
  std::array<char, 32> digits_;
};

/// The same with dashes: "xxxxxxxx-xxxx-4xxx-xxxx-xxxxxxxxxxxx".
std::string unique_id_dashed();

/// 64 bits from the same source, for seeds and prefixes.
std::uint64_t random_bits();

/// Writes `value` as 16 lower-case hex digits to `out`.
void write_hex64(char* out, std::uint64_t value) noexcept;
/// What up to 16 lower-case hex digits stand for; none for anything else.
std::optional<std::uint64_t> read_hex64(std::string_view digits) noexcept;

}  // namespace oslo::messaging
