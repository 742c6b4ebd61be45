// What a peer sends over ZeroMQ, its frames separated by the byte 0xff: Python's messages and our
// own.
#include <algorithm>
#include <string_view>
#include <vector>

#include "drivers/zmq/old_wire.hpp"
#include "drivers/zmq/own_wire.hpp"
#include "fuzz/fuzz.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace oslo::messaging;
  std::string_view rest = fuzz::text(data, size);
  std::vector<std::string_view> frames;
  while (frames.size() < 9) {
    const auto end = std::min(rest.find('\xff'), rest.size());
    frames.push_back(rest.substr(0, end));
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  if (const auto m = zmq::read_old_frames(frames)) {
    (void)zmq::read_old_reply(m->body);
    if (const auto r = zmq::read_old_request(m->body))
      for (const auto& f : r->fields) fuzz::require(!f.json.empty(), "each key has a value");
  }
  const auto m = zmq::read_own_frames(frames);
  if (!m) return 0;
  (void)zmq::read_number(m->id);
  if (const auto h = zmq::read_request_head(m->head))
    fuzz::require(zmq::read_request_head(zmq::write_request_head(*h)).value() == *h,
                  "a head comes back as it went");
  if (const auto t = zmq::read_turn(m->head))
    fuzz::require(zmq::read_turn(zmq::write_turn(*t)).value() == *t, "and so does a turn");
  if (const auto g = zmq::read_greeting(m->head))
    fuzz::require(zmq::read_greeting(zmq::write_greeting(*g)).value().all == g->all,
                  "and a greeting");
  return 0;
}
