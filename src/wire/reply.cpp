#include "wire/reply.hpp"

#include <algorithm>
#include <oslo/messaging/json.hpp>
#include <utility>

#include "core/json/json_text.hpp"
#include "wire/envelope.hpp"
#include "wire/failure_json.hpp"
#include "wire/python_truth.hpp"

namespace oslo::messaging::wire {
namespace {

using kind = json_reader::kind;

std::string ids(std::string_view ending, call_id msg_id, std::string_view unique_id) {
  std::string text;
  text.reserve(160);
  text += R"(, "ending": )";
  text += ending;
  text += R"(, "_msg_id": )";
  if (msg_id.is_text)
    write_json(text, msg_id.text);
  else
    text += msg_id.text;
  text += R"(, "_unique_id": )";
  write_json(text, unique_id);
  text += '}';
  return text;
}

void read_text_or_skip(json_reader& r, std::string& out) {
  if (r.peek() == kind::string) {
    r.read_string(out);
  } else {
    out.clear();
    r.skip_value();
  }
}

std::optional<remote_failure> read_failure_value(json_reader& r) {
  if (r.peek() == kind::string) {
    std::string text;
    r.read_string(text);
    if (text.empty()) return std::nullopt;
    return read_failure(std::move(text));
  }
  json_reader probe = r;
  const bool failed = is_true(probe);
  const std::string_view json = r.skip_value();
  if (!failed) return std::nullopt;
  return read_failure(std::string(json));
}

}  // namespace

void write_reply(std::string& out, const outgoing_reply& reply, call_id msg_id,
                 std::string_view unique_id) {
  const std::string tail = ids("true", msg_id, unique_id);
  if (reply.failure) {
    std::string json, text;
    write_failure(json, *reply.failure);
    text.reserve(json.size() + json.size() / 4);
    // Raw argument text may hold bytes that are not UTF-8 only where JSON has none: it was checked.
    write_json(text, json);
    write_envelope(out, {R"({"result": null, "failure": )", text, tail});
    return;
  }
  if (reply.result.empty())
    throw messaging_error({errc::serialization_failed, "The result of a reply is empty"});
  write_envelope(out, {R"({"result": )", reply.result, R"(, "failure": null)", tail});
}

void write_heartbeat(std::string& out, call_id msg_id, std::string_view unique_id) {
  write_envelope(out, {R"({"result": null, "failure": null)", ids("false", msg_id, unique_id)});
}

result<incoming_reply> read_reply(std::string_view body) {
  try {
    std::string inner;
    open_envelope(body, inner);
    json_reader r(inner);
    if (const kind k = r.peek(); k != kind::object && k != kind::end)
      throw messaging_error({errc::malformed_message, "The reply is not a JSON object"});
    incoming_reply reply;
    r.begin_object();
    std::string_view key;
    std::string scratch;
    while (r.next_key(key, scratch)) {
      if (key == "result")
        reply.result = r.skip_value();
      else if (key == "failure")
        reply.failure = read_failure_value(r);
      else if (key == "ending")
        reply.ending = is_true(r);
      else if (key == "_msg_id")
        read_text_or_skip(r, reply.msg_id);
      else if (key == "_unique_id")
        read_text_or_skip(r, reply.unique_id);
      else
        r.skip_value();
    }
    r.finish();
    return reply;
  } catch (const messaging_error& e) {
    return e.failure();
  }
}

}  // namespace oslo::messaging::wire
