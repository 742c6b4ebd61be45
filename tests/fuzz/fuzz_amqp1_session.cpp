// A connection of AMQP 1.0 from bytes of an attacker, login included: it ends once at most, tells
// nothing behind its end, and says no more than it was made to.
#include <algorithm>

#include "fuzz/fuzz.hpp"
#include "support/amqp1_session.hpp"
#include "support/proton_leaks.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input = fuzz::text(data, size);
  const std::size_t portion = std::size_t{fuzz::octet(input)} * 16 + 1;
  amqp1_script::client c;
  while (!input.empty()) {
    const auto n = std::min(portion, input.size());
    c.take(input.substr(0, n));
    input.remove_prefix(n);
  }
  c.end_of_stream();
  fuzz::require(c.ends() == 1, "a connection ends once");
  fuzz::require(!c.told_more(), "nothing comes after the end");
  fuzz::require(c.said() <= 65'536 + 64 * size, "output is bounded by input");
  return 0;
}
