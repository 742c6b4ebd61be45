#include "exit_gate.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace oslo::messaging::python {
namespace {

std::atomic<bool> closed{false};
/// Written before `closed` is.
std::thread::id closer;
/// Threads between their look at `closed` and the interpreter.
std::atomic<int> on_their_way{0};

constexpr auto patience = std::chrono::seconds(5);

}  // namespace

without_gil::~without_gil() {
  ++on_their_way;
  if (closed && std::this_thread::get_id() != closer) {
    --on_their_way;
    for (;;) ::pause();
  }
  PyEval_RestoreThread(state_);
  --on_their_way;
}

void close_exit_gate() {
  closer = std::this_thread::get_id();
  closed = true;
  auto* const state = PyEval_SaveThread();
  const auto limit = std::chrono::steady_clock::now() + patience;
  while (on_their_way != 0 && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  PyEval_RestoreThread(state);
}

void reset_exit_gate() noexcept {
  on_their_way = 0;
}

}  // namespace oslo::messaging::python
