// Compressed bodies: any bytes are read or refused, and never become longer than allowed; what was
// read is read the same after it was compressed again. The first byte chooses the codec.
#include <string>

#include "fuzz/fuzz.hpp"
#include "wire/compression.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oslo::messaging;
  constexpr std::size_t most = 100'000;
  const std::string_view input = fuzz::text(data, size);
  if (input.empty()) return 0;
  const auto codec = (input[0] & 1) != 0 ? wire::codec::bzip2 : wire::codec::zlib;
  const auto body = wire::decompress(codec, input.substr(1), most);
  if (!body) {
    fuzz::require(body.error().code() == errc::malformed_message, "a refusal is malformed_message");
    return 0;
  }
  fuzz::require(body->size() <= most, "the limit is kept");
  const auto again = wire::decompress(codec, wire::compress(codec, *body), most);
  fuzz::require(again.has_value() && *again == *body, "what was compressed comes back");
  return 0;
}
