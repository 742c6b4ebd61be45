// What the programs at the other end of these tests share: their options, the line "ready", and an
// end by SIGTERM.
//
//   PROGRAM --url URL COMMAND TOPIC [--name value]...
#pragma once

#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <optional>
#include <string>

namespace oslo::messaging::interop {

struct service_options {
  std::string topic;
  std::map<std::string, std::string> named;  ///< without the dashes

  std::string operator[](const std::string& name) const {
    const auto found = named.find(name);
    return found == named.end() ? std::string() : found->second;
  }
  std::optional<std::string> find(const std::string& name) const {
    const auto found = named.find(name);
    return found == named.end() ? std::nullopt : std::optional(found->second);
  }
};

/// Runs the program and returns its exit code. `body` gets the options before any thread has
/// started.
template <class Body>
int run_service(int argc, char** argv, Body body) {
  service_options o;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name.starts_with("--"))
      o.named[name.substr(2)] = argv[i + 1];
    else
      o.topic = argv[i + 1];  // of a command
  }
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &end, nullptr);
  try {
    body(o);
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}

/// Says that it serves, and returns when it is told to end.
inline void serve_until_told(std::FILE* to = stdout) {
  std::fputs("ready\n", to);
  std::fflush(to);
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  int received = 0;
  sigwait(&end, &received);
}

}  // namespace oslo::messaging::interop
