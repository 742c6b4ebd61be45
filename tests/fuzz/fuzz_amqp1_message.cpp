// A message of AMQP 1.0 and the JSON in it: what is read can be shown as a whole.
#include "drivers/amqp1/bodies.hpp"
#include "drivers/amqp1/message.hpp"
#include "fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oslo::messaging;
  const auto m = amqp1::read_message(fuzz::text(data, size));
  if (m.has_error()) return 0;
  fuzz::require(m->body.size() <= size, "a body lies in its message");
  (void)amqp1::read_reply(m->body);
  const auto r = amqp1::read_request(m->body);
  if (r.has_error()) return 0;
  const auto ctxt = r->make_context();
  std::string whole;
  amqp1::write_whole(whole, *r, ctxt, {.unique_id = "1"});
  fuzz::require(!whole.empty() && whole.front() == '{', "a message is one object");
  return 0;
}
