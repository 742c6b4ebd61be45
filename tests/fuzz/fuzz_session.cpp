// A whole connection from bytes of an attacker, handshake included. How the bytes are cut into
// portions must not matter, and the connection ends exactly once.
#include <algorithm>

#include "fuzz/fuzz.hpp"
#include "support/amqp_session.hpp"

namespace {

/// A peer that speaks something else is refused at its first bytes, of which the message shows
/// those that are there.
std::vector<std::string> without_first_bytes(std::vector<std::string> lines) {
  for (std::string& line : lines)
    if (const auto at = line.find("its first bytes are"); at != std::string::npos) line.resize(at);
  return lines;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text(data, size);
  const std::size_t portion = std::size_t{fuzz::octet(input)} + 1;
  using amqp_script::play;
  const amqp_script::session_result whole = play(input, std::max<std::size_t>(input.size(), 1));
  const amqp_script::session_result pieces = play(input, portion);
  fuzz::require(without_first_bytes(whole.lines) == without_first_bytes(pieces.lines),
                "portions do not matter for events");
  fuzz::require(whole.output == pieces.output, "portions do not matter for output");
  const auto closed = [](const std::string& line) { return line.starts_with("closed "); };
  fuzz::require(std::ranges::count_if(whole.lines, closed) == 1, "a connection ends once");
  fuzz::require(closed(whole.lines.back()), "nothing comes after the end");
  fuzz::require(whole.output.size() <= 4096 + 8 * input.size(), "output is bounded by input");
  return 0;
}
