// Field tables and properties: any bytes are read or refused, and what was read is written such
// that it is read the same again.
#include <optional>
#include <string>

#include "fuzz/fuzz.hpp"
#include "protocol/amqp091/codec.hpp"

namespace {

using namespace amqp091;

std::optional<properties> read(std::string_view input, bool table_only) {
  try {
    reader in{input};
    properties p;
    if (table_only)
      p.headers = in.table();
    else
      read_properties(in, p);
    return p;
  } catch (const violation& v) {
    fuzz::require(v.code() == reply_code::syntax_error, "a refusal is a syntax error");
    return {};
  }
}

std::string written(const properties& p) {
  std::string out;
  writer w{out};
  write_properties(w, p);
  return out;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text(data, size);
  const bool table_only = (fuzz::octet(input) & 1) != 0;
  const std::optional<properties> first = read(input, table_only);
  if (!first) return 0;
  const std::string bytes = written(*first);
  fuzz::require(bytes.size() <= input.size() + 2, "writing adds nothing");
  const std::optional<properties> second = read(bytes, false);
  fuzz::require(second.has_value(), "what was written can be read");
  // Bytes and not values are compared: a NaN is not equal to itself.
  fuzz::require(written(*second) == bytes, "reading and writing is stable");
  return 0;
}
