// Keeps the application's signals away from threads of the library.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace oslo::messaging::net {

/// Blocks all signals in its scope: threads made there leave them to the application's threads.
class signals_blocked {
 public:
  signals_blocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace oslo::messaging::net
