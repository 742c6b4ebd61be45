#include "drivers/rabbit/body.hpp"

#include <algorithm>
#include <variant>

#include "core/utf8.hpp"
#include "wire/compression.hpp"
#include "wire/encoding.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr std::size_t longest_name_shown = 64;
/// A hundred bytes of bzip2 can keep the loop busy for half a second, and a peer can send many. No
/// body of zlib, and none of bzip2 that says anything, grows by more than this.
constexpr std::size_t most_expansion = 2'000;
constexpr std::size_t always_allowed = std::size_t{1} << 20;

failure unknown(std::string_view how) {
  return {errc::malformed_message, "it is compressed by " +
                                       to_one_line(how.substr(0, longest_name_shown)) +
                                       ", which is not known here"};
}

/// Null and an empty text say that it is not.
const amqp091::field_value* compression_of(const amqp091::delivery& d) noexcept {
  const auto* const header =
      d.props->headers ? d.props->headers->find(wire::compression_header) : nullptr;
  if (header == nullptr || std::holds_alternative<std::monostate>(header->data)) return nullptr;
  const auto* const name = header->as_string();
  return name != nullptr && name->empty() ? nullptr : header;
}

}  // namespace

bool is_compressed(const amqp091::delivery& d) noexcept {
  return compression_of(d) != nullptr;
}

result<std::string_view> body_of(const amqp091::delivery& d, std::size_t most,
                                 std::string& storage) {
  const auto* const header = compression_of(d);
  if (header == nullptr) {
    if (!d.props->content_encoding) return d.body;
    auto text = wire::to_utf8(*d.props->content_encoding, d.body);
    if (!text) return d.body;
    if (text->size() > most)
      return failure(errc::malformed_message,
                     "its body has more than " + std::to_string(most) + " bytes in UTF-8");
    storage = *std::move(text);
    return std::string_view(storage);
  }
  const auto* const name = header->as_string();
  if (name == nullptr) return unknown("something that is no text");
  const auto codec = wire::codec_named(*name);
  if (!codec) return unknown(*name);
  const auto expanded = std::max(always_allowed, most_expansion * d.body.size());
  auto body = wire::decompress(*codec, d.body, std::min(most, expanded));
  if (body.has_error()) return body.error();
  storage = *std::move(body);
  return std::string_view(storage);
}

}  // namespace oslo::messaging::rabbit
