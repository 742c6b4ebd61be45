#include "interruption.hpp"

#include <atomic>

namespace oslo::messaging::cli {
namespace {
std::atomic<int> seen_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);  // as a signal handler needs it

extern "C" void remember(int number) {
  seen_signal = number;
  struct sigaction ends {};
  ends.sa_handler = SIG_DFL;
  for (const int each : {SIGINT, SIGTERM}) {
    struct sigaction now {};
    sigaction(each, nullptr, &now);
    if (now.sa_handler == remember) sigaction(each, &ends, nullptr);
  }
}

/// What was ignored, as in the background of a script, stays so.
void catch_once(int number, struct sigaction& before) {
  struct sigaction caught {};
  caught.sa_handler = remember;
  caught.sa_flags = SA_RESTART;
  sigaction(number, nullptr, &before);
  if (before.sa_handler != SIG_IGN) sigaction(number, &caught, nullptr);
}
}  // namespace

interruption::interruption() {
  seen_signal = 0;
  catch_once(SIGINT, before_int_);
  catch_once(SIGTERM, before_term_);
}

interruption::~interruption() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
}

bool interruption::seen() const noexcept {
  return seen_signal != 0;
}

void interruption::obey() const {
  if (const int number = seen_signal; number != 0) raise(number);
}

}  // namespace oslo::messaging::cli
