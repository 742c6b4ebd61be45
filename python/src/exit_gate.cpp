#include "exit_gate.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace oslo::messaging::python {
namespace {

std::atomic<bool> closed{false};
/// Written before `closed` is.
std::thread::id closer;
/// Threads between their look at `closed` and the interpreter.
std::atomic<int> on_their_way{0};

/// For the closer alone: others lock it only once the gate is closed.
std::mutex mutex;
std::condition_variable nobody_left;
constexpr auto patience = std::chrono::seconds(5);

void arrive() noexcept {
  if (--on_their_way != 0 || !closed) return;
  const std::lock_guard lock(mutex);
  nobody_left.notify_all();
}

}  // namespace

without_gil::~without_gil() {
  ++on_their_way;
  if (closed && std::this_thread::get_id() != closer) {
    arrive();
    for (;;) ::pause();
  }
  PyEval_RestoreThread(state_);
  arrive();
}

void close_exit_gate() {
  closer = std::this_thread::get_id();
  closed = true;
  auto* const state = PyEval_SaveThread();
  {
    std::unique_lock lock(mutex);
    nobody_left.wait_for(lock, patience, [] { return on_their_way == 0; });
  }
  PyEval_RestoreThread(state);
}

void reset_exit_gate() noexcept {
  on_their_way = 0;
}

}  // namespace oslo::messaging::python
