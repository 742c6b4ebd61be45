// What belongs to a fiber but lives in its thread.
#pragma once

#include <cxxabi.h>
#include <pthread.h>

#include <cstddef>
#include <cstring>
#include <utility>

#include "core/tasks/waiting.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace oslo::messaging::fibers {

/// Tells the address sanitizer which stack the running code is on. In other builds it does nothing.
/// Only arrivals are announced, because Boost.Fiber offers no place for departures; that is enough
/// for exceptions, which make the sanitizer look at the whole stack.
class stack_notice {
 public:
  /// For the rest of a fiber; `near_top` is a variable of its first frame.
  static void enter([[maybe_unused]] const void* near_top, [[maybe_unused]] std::size_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    constexpr std::size_t page = 4096;
    const auto top = (reinterpret_cast<std::size_t>(near_top) / page + 1) * page;
    here() = {reinterpret_cast<const void*>(top - bytes), bytes};
    announce();
#endif
  }
  /// For the stack that the system gave the thread.
  static void enter_thread() {
#if defined(__SANITIZE_ADDRESS__)
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    void* bottom = nullptr;
    std::size_t bytes = 0;
    pthread_attr_getstack(&attributes, &bottom, &bytes);
    pthread_attr_destroy(&attributes);
    here() = {bottom, bytes};
    announce();
#endif
  }

#if defined(__SANITIZE_ADDRESS__)
  struct bounds {
    const void* bottom = nullptr;
    std::size_t bytes = 0;
  };
  static bounds& here() noexcept {
    thread_local bounds b;
    return b;
  }
  static void announce() {
    __sanitizer_start_switch_fiber(nullptr, here().bottom, here().bytes);
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
  }
#endif
};

/// In its scope a fiber leaves its thread to others. The C++ runtime keeps the exceptions that are
/// being handled in the thread; without this, a wait inside a catch block would hand them to
/// whatever runs next. The same goes for the owner of the task.
class suspension {
 public:
  suspension() noexcept : owner_(std::exchange(task_owner(), nullptr)) {
    std::memcpy(static_cast<void*>(&exceptions_), abi::__cxa_get_globals(), sizeof exceptions_);
    const exception_state none;
    std::memcpy(static_cast<void*>(abi::__cxa_get_globals()), &none, sizeof none);
  }
  ~suspension() {
    std::memcpy(static_cast<void*>(abi::__cxa_get_globals()), &exceptions_, sizeof exceptions_);
    task_owner() = owner_;
#if defined(__SANITIZE_ADDRESS__)
    stack_notice::here() = stack_;
    stack_notice::announce();
#endif
  }
  suspension(const suspension&) = delete;
  suspension& operator=(const suspension&) = delete;

 private:
  /// __cxa_eh_globals as the Itanium C++ ABI (2.2.2) fixes it.
  struct exception_state {
    void* caught = nullptr;
    unsigned int uncaught = 0;
  };
  exception_state exceptions_;
  const void* const owner_;
#if defined(__SANITIZE_ADDRESS__)
  const stack_notice::bounds stack_ = stack_notice::here();
#endif
};

}  // namespace oslo::messaging::fibers
