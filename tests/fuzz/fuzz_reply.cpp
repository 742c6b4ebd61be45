// Bodies of replies, and the failures inside them: any bytes are read or refused; what was read can
// be sent on and is read the same again.
#include <oslo/messaging/json.hpp>
#include <string>

#include "fuzz/fuzz.hpp"
#include "wire/failure_json.hpp"
#include "wire/reply.hpp"

namespace {

using namespace oslo::messaging;

/// A failure of any content is written as JSON.
void check_text(const remote_failure& f) {
  std::string text;
  wire::write_failure(text, f);
  json_reader r(text);
  r.skip_value();
  r.finish();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text(data, size);
  auto failure = wire::read_failure(std::string(input));
  check_text(failure);
  fuzz::require(failure.json.empty() || failure.json == input, "the text of a failure is kept");
  failure.json.clear();
  check_text(failure);

  const auto first = wire::read_reply(input);
  if (!first) {
    fuzz::require(first.error().code() == errc::malformed_message,
                  "a refusal is malformed_message");
    return 0;
  }
  std::string body;
  wire::write_reply(body, {.result = first->result, .failure = first->failure}, first->msg_id,
                    first->unique_id);
  const auto second = wire::read_reply(body);
  fuzz::require(second.has_value(), "what was written can be read");
  fuzz::require(second->ending, "a reply ends its call");
  fuzz::require(second->msg_id == first->msg_id, "the message id is kept");
  fuzz::require(second->unique_id == first->unique_id, "the unique id is kept");
  fuzz::require(second->failure.has_value() == first->failure.has_value(), "failing is kept");
  if (!first->failure) fuzz::require(second->result == first->result, "the result is kept");
  return 0;
}
