#include "waiting.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "exit_gate.hpp"
#include "spans.hpp"

namespace oslo::messaging::python {
namespace {

/// How long Ctrl-C may take.
constexpr auto slice = std::chrono::milliseconds(50);

/// A fork makes the thread that forks the main one, so this is asked each time.
bool on_main_thread() noexcept {
  return ::syscall(SYS_gettid) == ::getpid();
}

}  // namespace

bool wait(waitable& w, std::optional<double> seconds) {
  using clock = std::chrono::steady_clock;
  std::optional<clock::time_point> end;
  if (seconds) end = clock::now() + span_of(*seconds);
  if (!on_main_thread()) {
    const without_gil released;
    w.start();
    return w.wait_until(end);
  }
  for (;;) {
    auto until = clock::now() + slice;
    if (end) until = std::min(until, *end);
    bool ready;
    {
      const without_gil released;
      w.start();
      ready = w.wait_until(until);
    }
    if (ready) return true;
    if (PyErr_CheckSignals() != 0) throw nanobind::python_error();
    if (end && clock::now() >= *end) return false;
  }
}

}  // namespace oslo::messaging::python
