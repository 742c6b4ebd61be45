// Callbacks of the application that must not end the work of the loop that calls them.
#pragma once

#include <exception>
#include <memory>
#include <oslo/messaging/scheduler.hpp>
#include <utility>

namespace oslo::messaging {

/// Calls `f`. What it throws leaves from a turn of the loop of its own, where it is logged and
/// harms nobody: a completion may run in the middle of a burst of others. (docs/threading.md)
template <class F, class... A>
void call_guarded(scheduler& loop, F&& f, A&&... arguments) {
  try {
    std::forward<F>(f)(std::forward<A>(arguments)...);
  } catch (...) {
    loop.post([thrown = std::current_exception()] { std::rethrow_exception(thrown); });
  }
}

/// The same as a function; empty when `f` is.
template <class... A>
unique_function<void(A...)> guarded(std::shared_ptr<scheduler> loop,
                                    unique_function<void(A...)> f) {
  if (!f) return {};
  return [loop = std::move(loop), f = std::move(f)](A... arguments) mutable {
    call_guarded(*loop, f, std::forward<A>(arguments)...);
  };
}

}  // namespace oslo::messaging
