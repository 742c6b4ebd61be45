// Waiting on a thread of Python.
#pragma once

#include <optional>

#include "waitable.hpp"

namespace oslo::messaging::python {

/// Starts it, and waits at most `seconds` (none: for ever) while other Python threads run. On the
/// main thread it looks at signals now and then, and throws what their handlers raise
/// (KeyboardInterrupt). False: the time came first.
bool wait(waitable& w, std::optional<double> seconds);

}  // namespace oslo::messaging::python
