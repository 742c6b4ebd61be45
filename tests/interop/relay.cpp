// A C++ service between two others: it passes every call on, with its context, and every error
// back.
//
//   interop_relay --url URL serve TOPIC --server NAME --next TOPIC
//
// Prints one line "ready" once it consumes, and its spans to standard error. SIGTERM ends it.
#include <csignal>
#include <cstdio>
#include <map>
#include <oslo/messaging/messaging.hpp>
#include <string>

namespace om = oslo::messaging;

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  std::string topic;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "serve")
      topic = argv[i + 1];
    else
      options[argv[i]] = argv[i + 1];
  }
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &end, nullptr);  // before any thread starts

  try {
    const auto log = om::stderr_logger(om::log_level::info);
    const auto bus =
        om::open_transport(options["--url"], {.log = log, .tracer = om::log_tracer(log, "relay")});
    const om::blocking::client next{bus, {.topic = options["--next"]}};
    const auto all = std::make_shared<om::rpc::endpoint>();
    all->bind_any([&](std::string_view name, const om::context& ctxt, om::raw_json args) {
      const om::rpc::method<om::raw_json(om::raw_json)> method{name};
      return next.call(method, ctxt, std::move(args));
    });
    om::rpc::server server{bus, {.topic = topic, .server = options["--server"]}, {all}};
    server.start();
    std::puts("ready");
    std::fflush(stdout);
    int received = 0;
    sigwait(&end, &received);
    server.stop();
    server.wait();
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
