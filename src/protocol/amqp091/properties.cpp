// Properties of class basic: a word of flags, then the present ones in the order of the flags.
#include "protocol/amqp091/codec.hpp"

namespace amqp091 {
namespace {

constexpr std::uint16_t content_type_flag = 1u << 15, content_encoding_flag = 1u << 14,
                        headers_flag = 1u << 13, delivery_mode_flag = 1u << 12,
                        priority_flag = 1u << 11, correlation_id_flag = 1u << 10,
                        reply_to_flag = 1u << 9, expiration_flag = 1u << 8,
                        message_id_flag = 1u << 7, timestamp_flag = 1u << 6, type_flag = 1u << 5,
                        user_id_flag = 1u << 4, app_id_flag = 1u << 3, cluster_id_flag = 1u << 2;

}  // namespace

void read_properties(reader& in, properties& out) {
  const std::uint16_t flags = in.u16();
  if ((flags & 3) != 0)
    throw violation(reply_code::syntax_error, "the property flags have an undefined bit");
  const auto text = [&](std::uint16_t flag, std::optional<std::string>& to) {
    if ((flags & flag) == 0) {
      to.reset();
    } else if (const std::string_view v = in.shortstr(); to) {
      to->assign(v);
    } else {
      to.emplace(v);
    }
  };
  const auto octet = [&](std::uint16_t flag, std::optional<std::uint8_t>& to) {
    if ((flags & flag) == 0)
      to.reset();
    else
      to = in.u8();
  };
  text(content_type_flag, out.content_type);
  text(content_encoding_flag, out.content_encoding);
  if ((flags & headers_flag) == 0)
    out.headers.reset();
  else
    out.headers = in.table();
  octet(delivery_mode_flag, out.delivery_mode);
  octet(priority_flag, out.priority);
  text(correlation_id_flag, out.correlation_id);
  text(reply_to_flag, out.reply_to);
  text(expiration_flag, out.expiration);
  text(message_id_flag, out.message_id);
  if ((flags & timestamp_flag) == 0)
    out.timestamp.reset();
  else
    out.timestamp = in.u64();
  text(type_flag, out.type);
  text(user_id_flag, out.user_id);
  text(app_id_flag, out.app_id);
  text(cluster_id_flag, out.cluster_id);
}

void write_properties(writer& out, const properties& p) {
  const auto bit = [](bool present, std::uint16_t flag) -> unsigned { return present ? flag : 0u; };
  const unsigned flags =
      bit(p.content_type.has_value(), content_type_flag) |
      bit(p.content_encoding.has_value(), content_encoding_flag) |
      bit(p.headers.has_value(), headers_flag) |
      bit(p.delivery_mode.has_value(), delivery_mode_flag) |
      bit(p.priority.has_value(), priority_flag) |
      bit(p.correlation_id.has_value(), correlation_id_flag) |
      bit(p.reply_to.has_value(), reply_to_flag) | bit(p.expiration.has_value(), expiration_flag) |
      bit(p.message_id.has_value(), message_id_flag) |
      bit(p.timestamp.has_value(), timestamp_flag) | bit(p.type.has_value(), type_flag) |
      bit(p.user_id.has_value(), user_id_flag) | bit(p.app_id.has_value(), app_id_flag) |
      bit(p.cluster_id.has_value(), cluster_id_flag);
  const auto text = [&](const std::optional<std::string>& v) {
    if (v) out.shortstr(*v);
  };
  out.u16(static_cast<std::uint16_t>(flags));
  text(p.content_type);
  text(p.content_encoding);
  if (p.headers) out.table(*p.headers);
  if (p.delivery_mode) out.u8(*p.delivery_mode);
  if (p.priority) out.u8(*p.priority);
  text(p.correlation_id);
  text(p.reply_to);
  text(p.expiration);
  text(p.message_id);
  if (p.timestamp) out.u64(*p.timestamp);
  text(p.type);
  text(p.user_id);
  text(p.app_id);
  text(p.cluster_id);
}

}  // namespace amqp091
