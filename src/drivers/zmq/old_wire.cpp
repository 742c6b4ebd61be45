#include "drivers/zmq/old_wire.hpp"

#include <algorithm>
#include <oslo/messaging/json.hpp>
#include <utility>

#include "core/shown_name.hpp"
#include "wire/failure_json.hpp"
#include "wire/request.hpp"

namespace oslo::messaging::zmq {
namespace {

constexpr std::size_t longest_id = 255;

failure malformed(const std::string& what) {
  return {errc::malformed_message, "A message of ZeroMQ cannot be read: " + what};
}

std::string text_of(const context& c, const object::value_type& entry) {
  if (const auto* const exact = c.exact_text(entry.key())) return *exact;
  std::string json;
  write_json(json, entry.value());
  return json;
}

void set_last(std::vector<message_field>& fields, const message_field& f) {
  const auto same = std::find_if(fields.begin(), fields.end(),
                                 [&](const message_field& known) { return known.key == f.key; });
  if (same == fields.end())
    fields.push_back(f);
  else
    same->json = f.json;
}

}  // namespace

result<old_message> read_old_frames(frame_views in) {
  if (in.size() < 4 || in.size() > 5)
    return malformed("it has " + std::to_string(in.size()) + " frames instead of 5.");
  if (!in[0].empty()) return malformed("its first frame is not empty.");
  if (in[1] != old_version) return malformed("its version is " + shown_name(in[1]) + ".");
  if (in[2].size() != 1 || in[2][0] < '1' || in[2][0] > '6')
    return malformed("its type is " + shown_name(in[2]) + ".");
  old_message m;
  m.type = static_cast<old_type>(in[2][0] - '0');
  m.id = in[3];
  if (m.id.empty() || m.id.size() > longest_id)
    return malformed("its id has " + std::to_string(m.id.size()) + " bytes.");
  if ((in.size() == 4) != (m.type == old_type::ack))
    return malformed("it has " + std::to_string(in.size()) + " frames and type " +
                     std::string(in[2]) + ".");
  if (in.size() == 5) m.body = in[4];
  return m;
}

frames write_old_frames(old_type type, std::string_view id, std::string body) {
  frames out{"", std::string(old_version), std::to_string(static_cast<int>(type)), std::string(id)};
  out.push_back(std::move(body));
  return out;
}

result<old_request> read_old_request(std::string_view body) {
  old_request r;
  r.text = std::make_unique<const std::string>(body);
  try {
    json_reader in(*r.text);
    in.begin_array();
    if (!in.next_element()) return malformed("the list in it is empty.");
    const auto ctxt = in.skip_value();
    if (!in.next_element()) return malformed("the list in it has one value.");
    r.message = in.skip_value();
    if (in.next_element()) return malformed("the list in it has more than two values.");
    in.finish();
    std::string scratch;
    std::string_view key;
    if (json_reader c(ctxt); c.peek() != json_reader::kind::null) {
      c.begin_object();
      while (c.next_key(key, scratch)) wire::set_entry(r.ctxt, {key, c.skip_value()});
    }
    json_reader m(r.message);
    m.begin_object();
    while (m.next_key(key, scratch)) {
      if (key.data() == scratch.data()) {
        r.decoded.push_back(std::make_unique<const std::string>(std::move(scratch)));
        key = *r.decoded.back();
      }
      set_last(r.fields, {key, m.skip_value()});
    }
  } catch (const messaging_error& e) {
    return malformed(e.what());
  }
  return r;
}

std::string write_old_request(std::string_view inner, const context& ctxt) {
  std::string message = "{", scratch;
  std::string_view key;
  context all;
  try {
    json_reader in(inner);
    in.begin_object();
    while (in.next_key(key, scratch)) {
      if (key.starts_with(wire::context_prefix)) {
        const std::string name(key.substr(wire::context_prefix.size()));
        wire::set_entry(all, {name, in.skip_value()});
        continue;
      }
      if (message.size() > 1) message += ", ";
      write_json(message, key);
      message.append(": ").append(in.skip_value());
    }
    in.finish();
  } catch (const messaging_error& e) {
    throw messaging_error(
        {errc::serialization_failed,
         std::string("The message to be sent is not a JSON object: ") + e.what()});
  }
  message += '}';
  for (const auto& entry : ctxt.entries())
    wire::set_entry(all, {entry.key(), text_of(ctxt, entry)});
  std::string out = "[";
  write_json(out, all);
  out.append(", ").append(message).append("]");
  return out;
}

std::string write_old_reply(const outgoing_reply& r) {
  std::string out = "[";
  if (!r.failure) return out.append(r.result).append(", null]");
  std::string text;
  wire::write_failure(text, *r.failure);
  out += "null, ";
  write_json(out, text);
  return out += ']';
}

result<reply> read_old_reply(std::string_view body) {
  try {
    json_reader in(body);
    in.begin_array();
    if (!in.next_element()) return malformed("the list in it is empty.");
    reply r{std::string(in.skip_value())};
    if (!in.next_element()) return malformed("the list in it has one value.");
    if (in.peek() == json_reader::kind::string) {
      std::string text;
      in.read_string(text);
      if (!text.empty()) return failure(wire::read_failure(std::move(text)));
    } else if (in.peek() == json_reader::kind::null) {
      in.read_null();
    } else {
      return failure(wire::read_failure(std::string(in.skip_value())));
    }
    if (in.next_element()) return malformed("the list in it has more than two values.");
    in.finish();
    return r;
  } catch (const messaging_error& e) {
    return malformed(e.what());
  }
}

}  // namespace oslo::messaging::zmq
