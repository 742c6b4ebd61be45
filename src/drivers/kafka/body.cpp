#include "drivers/kafka/body.hpp"

#include <algorithm>
#include <oslo/messaging/json.hpp>
#include <utility>

#include "wire/envelope.hpp"
#include "wire/relayed.hpp"

namespace oslo::messaging::kafka {
namespace {

constexpr std::string_view context_key = "_context";
constexpr std::string_view blanks = " \t\r\n";

/// The entries of an object, with all digits of their numbers.
void add_entries(context& to, std::string_view object) {
  json_reader in(object);
  in.begin_object();
  std::string scratch;
  std::string_view key;
  while (in.next_key(key, scratch)) wire::set_entry(to, {key, in.skip_value()});
  in.finish();
}

context read_context(std::string_view json) {
  context out;
  const auto kind = json_reader(json).peek();
  if (kind == json_reader::kind::null) return out;
  if (kind != json_reader::kind::object)
    throw messaging_error(
        {errc::malformed_message, "The key _context of the message is not an object"});
  add_entries(out, json);
  return out;
}

std::string text_of(const context& c, const object::value_type& entry) {
  if (const auto* const exact = c.exact_text(entry.key())) return *exact;
  std::string json;
  write_json(json, entry.value());
  return json;
}

void add_key(std::string& object, std::string_view key, std::string_view json) {
  if (object.size() > 1) object += ", ";
  write_json(object, key);
  object += ": ";
  object += json;
}

}  // namespace

void take_context(outgoing_message& m, notification_format f) {
  wire::remove_own_keys(m.body, f);
  // A key may be written with escapes.
  if (m.body.find(context_key) == m.body.npos && m.body.find('\\') == m.body.npos) return;
  context found;
  bool any = false;
  std::string kept = "{", scratch;
  std::string_view key;
  json_reader in(m.body);
  in.begin_object();
  while (in.next_key(key, scratch)) {
    const bool whole = key == context_key;
    if (!whole && !key.starts_with(wire::context_prefix)) {
      add_key(kept, key, in.skip_value());
      continue;
    }
    any = true;
    const std::string name(key.substr(whole ? 0 : wire::context_prefix.size()));
    const auto json = in.skip_value();
    if (!whole)
      wire::set_entry(found, {name, json});
    else if (json_reader(json).peek() == json_reader::kind::object)
      add_entries(found, json);
  }
  if (!any) return;
  for (const auto& entry : m.ctxt.entries())
    wire::set_entry(found, {entry.key(), text_of(m.ctxt, entry)});
  kept += '}';
  m.body = std::move(kept);
  m.ctxt = std::move(found);
}

void write_body(std::string& out, std::string_view inner, const context& ctxt) {
  const auto first = inner.find_first_not_of(blanks);
  const auto last = inner.find_last_not_of(blanks);
  if (first == inner.npos || first == last || inner[first] != '{' || inner[last] != '}')
    throw messaging_error(
        {errc::serialization_failed, "The message to be sent is not a JSON object"});
  const auto head = inner.substr(first, last - first);
  const bool is_empty = head.find_last_not_of(blanks) == 0;
  std::string tail = is_empty ? "\"" : ", \"";
  tail += context_key;
  tail += "\": ";
  write_json(tail, ctxt);
  tail += '}';
  wire::write_envelope(out, {head, tail});
}

std::string portable_text(const incoming_body& b) {
  std::string text = "{";
  for (const auto& f : b.message.fields) add_key(text, f.key, f.json);
  for (const auto& entry : b.ctxt.entries()) {
    std::string key(wire::context_prefix);
    key += entry.key();
    add_key(text, key, text_of(b.ctxt, entry));
  }
  text += '}';
  return text;
}

result<incoming_body> read_body(std::string_view value) {
  auto message = wire::read_request(value);
  if (!message) return message.error();
  incoming_body body{*std::move(message), {}};
  auto& fields = body.message.fields;
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [](const message_field& f) { return f.key == context_key; });
  try {
    if (found != fields.end()) {
      body.ctxt = read_context(found->json);
      fields.erase(found);
    } else {  // of something that writes as to RabbitMQ
      body.ctxt = body.message.make_context();
    }
  } catch (const messaging_error& e) {
    return e.failure();
  }
  return body;
}

}  // namespace oslo::messaging::kafka
