#include "drivers/rabbit/body.hpp"

#include <variant>

#include "core/utf8.hpp"
#include "wire/compression.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr std::size_t longest_name_shown = 64;

failure unknown(std::string_view how) {
  return {errc::malformed_message, "it is compressed by " +
                                       to_valid_utf8(how.substr(0, longest_name_shown)) +
                                       ", which is not known here"};
}

}  // namespace

result<std::string_view> body_of(const amqp091::delivery& d, std::size_t most,
                                 std::string& storage) {
  const auto* const header =
      d.props->headers ? d.props->headers->find(wire::compression_header) : nullptr;
  if (header == nullptr || std::holds_alternative<std::monostate>(header->data)) return d.body;
  const auto* const name = header->as_string();
  if (name == nullptr) return unknown("something that is no text");
  if (name->empty()) return d.body;
  const auto codec = wire::codec_named(*name);
  if (!codec) return unknown(*name);
  auto body = wire::decompress(*codec, d.body, most);
  if (body.has_error()) return body.error();
  storage = *std::move(body);
  return std::string_view(storage);
}

}  // namespace oslo::messaging::rabbit
