// Work in a child of the test's process.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

namespace oslo::messaging::testing {

/// Runs `work` in a fork of this process, which ends with what it returns: that, 99 when it has
/// thrown, 100 + signal when it was killed, as after a minute.
template <class Work>
int in_a_child(Work&& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);  // a child that hangs is a failure, and nobody's burden
    int status = 99;
    try {
      status = work();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

}  // namespace oslo::messaging::testing
