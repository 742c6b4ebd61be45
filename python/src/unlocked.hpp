// Letting go of what may take a while to end.
#pragma once

#include <memory>
#include <utility>

#include "exit_gate.hpp"
#include "forks.hpp"

namespace oslo::messaging::python {

/// An object for Python alone, which drops the last copy with its lock held: the end of the object
/// does not hold up other threads. In a child process it does not end.
template <class T>
std::shared_ptr<T> ends_unlocked(std::shared_ptr<T> object) {
  auto* const raw = object.get();
  return {raw, [object = std::move(object), born = forks()](T*) mutable {
            if (born != forks()) {
              (void)new std::shared_ptr<T>(std::move(object));
              return;
            }
            const without_gil released;
            object.reset();
          }};
}

}  // namespace oslo::messaging::python
