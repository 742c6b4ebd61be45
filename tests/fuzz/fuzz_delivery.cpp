// A message can only hurt itself: any bytes as the property list of one delivery, amidst sound
// ones.
#include <string>

#include "fuzz/fuzz.hpp"
#include "support/amqp_script.hpp"

namespace {

using namespace amqp_script;

std::string started(const std::string& line) {
  return line.substr(0, line.find(" 1 'openstack'"));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text(data, size);
  const bool no_ack = (fuzz::octet(input) & 1) != 0;
  std::string list{input.substr(0, 100'000)};
  if (list.size() < 2) list.resize(2);  // the flags belong to the frame
  client c;
  const channel_id ch = c.open().channel();
  c.machine.basic_consume(ch, 1, "q", "1", no_ack, false);
  c.feed(consume_ok(ch, "1"));
  c.sent();
  c.events();
  c.feed(deliver_method(ch, 1) + header_with(ch, 4, list) + frame(frame_type::body, ch, "body") +
         deliver(ch, 2, "next"));
  const std::vector<std::string> lines = c.events();
  fuzz::require(lines.size() == 2, "each message is one event");
  const bool refused = started(lines[0]) == "refused 1 1";
  fuzz::require(refused || started(lines[0]) == "delivery 1 1", "the first is there or refused");
  fuzz::require(lines[1] == "delivery 1 2 1 'openstack' 't' 'next'", "the next one arrives");
  fuzz::require(
      c.sent() ==
          (refused && !no_ack ? method_hex(ch, method::basic_reject, "0000000000000001 00") : ""),
      "a refusal is one reject without requeue");
  return 0;
}
