#include "drivers/amqp1/bodies.hpp"

#include <algorithm>
#include <cmath>
#include <forward_list>
#include <oslo/messaging/json.hpp>
#include <unordered_map>

#include "core/utf8.hpp"
#include "wire/envelope.hpp"
#include "wire/failure_json.hpp"

namespace oslo::messaging::amqp1 {
namespace {

using json_kind = json_reader::kind;

[[noreturn]] void malformed(std::string why) {
  throw_failure({errc::malformed_message, std::move(why)});
}

void append_json(std::string& out, std::string_view json) {
  if (!is_utf8(json)) throw_failure({errc::serialization_failed, "The message is not UTF-8"});
  out += json;
}

void begin_request(std::string& out, std::string_view request) {
  out.reserve(out.size() + request.size() + 64);
  out += R"({"request": )";
}

void end_request(std::string& out, const context& ctxt) {
  out += R"(, "context": )";
  write_json(out, ctxt);
}

/// To an object that is open.
void append_field(std::string& out, const message_field& f) {
  if (out.size() > 1) out += ", ";
  write_json(out, f.key);
  out += ": ";
  out += f.json;
}

/// The keys of one JSON object. Of equal keys the last counts, in the place of the first.
class object_reader {
 public:
  object_reader(std::string_view json, wire::incoming_request& owner) : in_(json), owner_(owner) {}

  void read(std::vector<message_field>& fields) {
    in_.begin_object();
    std::string_view key;
    while (in_.next_key(key, scratch_)) add(fields, keep(key), in_.skip_value());
    in_.finish();
  }

 private:
  static constexpr std::size_t few = 16;

  std::string_view keep(std::string_view text) {
    return text.data() == scratch_.data() ? owner_.decoded.emplace_front(text) : text;
  }
  /// A peer may send very many keys.
  void add(std::vector<message_field>& fields, std::string_view key, std::string_view json) {
    if (fields.size() < few) {
      const auto same = std::ranges::find(fields, key, &message_field::key);
      if (same != fields.end())
        same->json = json;
      else
        fields.push_back({key, json});
      return;
    }
    if (places_.empty())
      for (std::size_t i = 0; i < fields.size(); ++i) places_.emplace(fields[i].key, i);
    const auto [at, is_new] = places_.emplace(key, fields.size());
    if (is_new)
      fields.push_back({key, json});
    else
      fields[at->second].json = json;
  }

  json_reader in_;
  wire::incoming_request& owner_;
  std::string scratch_;
  std::unordered_map<std::string_view, std::size_t> places_;
};

bool is_enveloped(const std::vector<message_field>& fields) {
  const auto has = [&](std::string_view key) {
    return std::ranges::find(fields, key, &message_field::key) != fields.end();
  };
  return has("oslo.version") && has("oslo.message");
}

std::optional<double> read_seconds(json_reader& in) {
  if (in.peek() != json_kind::number) {
    in.skip_value();
    return std::nullopt;
  }
  const double v = in.read_double();
  if (!std::isfinite(v) || v <= 0) return std::nullopt;
  return v;
}

/// Throws `messaging_error`.
void read(wire::incoming_request& r) {
  json_reader in(r.text);
  if (in.peek() != json_kind::object) malformed("The message body is not a JSON object");
  in.begin_object();
  std::string_view key, request, ctxt;
  std::string scratch;
  while (in.next_key(key, scratch)) {
    if (key == "request")
      request = in.skip_value();
    else if (key == "context")
      ctxt = in.skip_value();
    else if (key == "call_monitor_timeout")
      r.client_timeout = read_seconds(in);
    else
      in.skip_value();
  }
  in.finish();
  if (request.empty() || request.front() != '{') malformed("The message has no request");
  if (!ctxt.empty() && ctxt != "null") {
    if (ctxt.front() != '{') malformed("The context of the message is not a JSON object");
    object_reader(ctxt, r).read(r.context_fields);
  }
  object_reader(request, r).read(r.fields);
  if (!is_enveloped(r.fields)) return;
  auto& inner = r.decoded.emplace_front();
  wire::open_envelope(request, inner);
  r.fields.clear();
  if (inner.empty() || inner.find_first_not_of(" \t\r\n") == inner.npos)
    malformed("The message in the envelope is empty");
  object_reader(inner, r).read(r.fields);
}

}  // namespace

void take_context(std::string& request, context& ctxt) {
  json_reader in(request);
  std::string scratch, kept = "{";
  std::string_view key;
  std::vector<message_field> entries;
  std::forward_list<std::string> decoded;
  in.begin_object();
  while (in.next_key(key, scratch)) {
    if (key.data() == scratch.data()) key = decoded.emplace_front(key);
    const auto json = in.skip_value();
    if (key.starts_with(wire::context_prefix))
      entries.push_back({key.substr(wire::context_prefix.size()), json});
    else
      append_field(kept, {key, json});
  }
  in.finish();
  if (entries.empty()) return;
  ctxt = wire::merged(entries, ctxt);
  request = kept += '}';
}

void write_request(std::string& out, std::string_view request, const context& ctxt,
                   std::optional<std::chrono::milliseconds> call_monitor_timeout) {
  begin_request(out, request);
  append_json(out, request);
  end_request(out, ctxt);
  if (call_monitor_timeout) {
    out += R"(, "call_monitor_timeout": )";
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(*call_monitor_timeout);
    if (whole == *call_monitor_timeout)
      write_json(out, whole.count());
    else
      write_json(out, std::chrono::duration<double>(*call_monitor_timeout).count());
  }
  out += '}';
}

void write_notification(std::string& out, std::string_view request, const context& ctxt,
                        notification_format f) {
  begin_request(out, request);
  if (f == notification_format::envelope)
    wire::write_envelope(out, {request});
  else
    append_json(out, request);
  end_request(out, ctxt);
  out += '}';
}

void write_reply(std::string& out, const outgoing_reply& reply) {
  if (reply.failure) {
    std::string json;
    wire::write_failure(json, *reply.failure);
    out += R"({"failure": )";
    write_json(out, json);
    out += '}';
    return;
  }
  if (reply.result.empty())
    throw_failure({errc::serialization_failed, "The result of a reply is empty"});
  out += R"({"response": )";
  append_json(out, reply.result);
  out += '}';
}

result<wire::incoming_request> read_request(std::string_view body) {
  try {
    wire::incoming_request r;
    r.text.reserve(std::max<std::size_t>(body.size(), 64));  // so that moving keeps it in place
    r.text = body;
    read(r);
    return r;
  } catch (const messaging_error& e) {
    return e.failure();
  }
}

void write_whole(std::string& out, const wire::incoming_request& r, const context& ctxt,
                 const wire::request_keys& keys) {
  std::string inner = "{";
  for (const auto& f : r.fields) append_field(inner, f);
  inner += '}';
  wire::write_inner(out, inner, ctxt, keys);
}

result<reply> read_reply(std::string_view body) {
  try {
    json_reader in(body);
    if (in.peek() != json_kind::object) malformed("The reply is not a JSON object");
    in.begin_object();
    reply r;
    std::optional<remote_failure> failed;
    std::string_view key;
    std::string scratch;
    while (in.next_key(key, scratch)) {
      if (key == "response") {
        r.result = in.skip_value();
      } else if (key == "failure" && in.peek() == json_kind::string) {
        std::string text;
        in.read_string(text);
        failed = wire::read_failure(std::move(text));
      } else if (key == "failure" && in.peek() != json_kind::null) {
        failed = wire::read_failure(std::string(in.skip_value()));
      } else {
        in.skip_value();
      }
    }
    in.finish();
    if (failed) return failure(std::move(*failed));
    return r;
  } catch (const messaging_error& e) {
    return e.failure();
  }
}

}  // namespace oslo::messaging::amqp1
