// Bodies of requests and notifications: any bytes are read or refused; what was read can be sent on
// and is read the same again.
#include <oslo/messaging/json.hpp>
#include <string>

#include "fuzz/fuzz.hpp"
#include "wire/relayed.hpp"
#include "wire/request.hpp"

namespace {

using namespace oslo::messaging;

std::string inner_of(const wire::incoming_request& request) {
  std::string inner = "{";
  for (const auto& f : request.fields) {
    if (inner.size() > 1) inner += ", ";
    write_json(inner, f.key);
    inner += ": ";
    inner += f.json;
  }
  return inner + '}';
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = wire::read_request(fuzz::text(data, size));
  if (!first) {
    fuzz::require(first.error().code() == errc::malformed_message,
                  "a refusal is malformed_message");
    return 0;
  }
  for (const auto& f : first->fields) {
    json_reader r(f.json);
    r.skip_value();
    r.finish();
  }
  const context ctxt = first->make_context();
  const std::string inner = inner_of(*first);
  std::string body;
  wire::write_request(
      body, inner, ctxt,
      {.msg_id = first->msg_id, .reply_q = first->reply_q, .unique_id = first->unique_id});
  const auto second = wire::read_request(body);
  fuzz::require(second.has_value(), "what was written can be read");
  fuzz::require(second->msg_id == first->msg_id, "the message id is kept");
  fuzz::require(second->msg_id.empty() || second->reply_q == first->reply_q,
                "the reply queue is kept");
  fuzz::require(second->unique_id == first->unique_id, "the unique id is kept");
  fuzz::require(inner_of(*second) == inner, "the message is kept");
  std::string before, after;
  write_json(before, ctxt);
  write_json(after, second->make_context());
  fuzz::require(before == after, "the context is kept");

  std::string text = first->text;
  wire::remove_own_keys(text);
  std::string passed_on;
  wire::write_request(passed_on, text, {}, {.unique_id = "u"});
  const auto third = wire::read_request(passed_on);
  fuzz::require(third.has_value(), "what is passed on can be read");
  fuzz::require(third->msg_id.empty() && third->reply_q.empty() && third->unique_id == "u" &&
                    !third->client_timeout,
                "it has no key of the transport from before");
  fuzz::require(inner_of(*third) == inner, "the message is the same");
  after.clear();
  write_json(after, third->make_context());
  fuzz::require(before == after, "the context is the same");
  return 0;
}
