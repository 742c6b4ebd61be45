// An open connection that gets well-formed frames with any content: past the checks of the frame,
// into the methods. The clock moves as the input says.
//
// Input: records of one octet (bits 0-1 frame type, 2-3 channel, 4 clock, 5 plain method id), one
// octet of payload size, payload. A method frame without bit 5 takes its id from the method table
// at the first octet of the payload.
#include <algorithm>

#include "fuzz/fuzz.hpp"
#include "support/amqp_session.hpp"

namespace {

using namespace amqp_script;

std::string next_frame(std::string_view& input, std::uint8_t bits) {
  constexpr frame_type types[] = {frame_type::method, frame_type::header, frame_type::body,
                                  frame_type::heartbeat};
  const frame_type type = types[bits & 3];
  const auto channel = static_cast<channel_id>(bits >> 2 & 3);
  const std::size_t size = std::min<std::size_t>(fuzz::octet(input), input.size());
  std::string_view payload = input.substr(0, size);
  input.remove_prefix(size);
  if (type != frame_type::method || (bits & 32) != 0) return frame(type, channel, payload);
  const method m = method_table[fuzz::octet(payload) % method_table.size()].id;
  return method_frame(channel, m, [&](writer& w) { w.bytes(payload); });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text(data, size);
  busy_client handler;
  client c{{.max_body = 1000}, handler};
  handler.machine = &c.machine;
  handler.now = c.now;
  c.feed(start() + tune(100, 4096, 10) + open_ok() + channel_open_ok(1) + channel_open_ok(2));
  std::size_t output = c.sent().size();
  while (!input.empty()) {
    const std::uint8_t bits = fuzz::octet(input);
    if ((bits & 16) != 0) {
      c.now += 3s;
      c.machine.on_tick(c.now);
      output += c.sent().size();
    }
    c.feed(next_frame(input, bits));
  }
  output += c.sent().size();
  fuzz::require(output <= 4096 + 100 * size, "output is bounded by input");
  c.machine.on_stream_end("end of input", c.now);
  const auto closed = [](const std::string& line) { return line.starts_with("closed "); };
  fuzz::require(std::ranges::count_if(handler.lines, closed) == 1, "a connection ends once");
  fuzz::require(closed(handler.lines.back()), "nothing comes after the end");
  return 0;
}
