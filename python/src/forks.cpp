#include "forks.hpp"

#include <pthread.h>

#include "exit_gate.hpp"

namespace oslo::messaging::python {
namespace {

int count = 0;  // changed where there is one thread

void in_child() noexcept {
  ++count;
  reset_exit_gate();
}

[[maybe_unused]] const int registered = ::pthread_atfork(nullptr, nullptr, in_child);

}  // namespace

int forks() noexcept {
  return count;
}

}  // namespace oslo::messaging::python
