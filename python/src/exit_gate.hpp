// How threads that wait in C++ come back to Python, or do not when the interpreter ends.
#pragma once

#include <nanobind/nanobind.h>

namespace oslo::messaging::python {

/// Lets other Python threads run for as long as it lives, like nanobind's `gil_scoped_release`.
///
/// A thread that wants to come back while the interpreter ends would be ended by Python in the
/// middle of our frames, and that ends the process. Such threads stay here instead.
class without_gil {
 public:
  without_gil() noexcept : state_(PyEval_SaveThread()) {}
  ~without_gil();
  without_gil(const without_gil&) = delete;
  without_gil& operator=(const without_gil&) = delete;

 private:
  PyThreadState* state_;
};

/// From now on no thread but the caller's comes back; waits for those on their way. For `atexit`.
void close_exit_gate();
/// In the child after a fork: there threads on their way are not there any more.
void reset_exit_gate() noexcept;

}  // namespace oslo::messaging::python
