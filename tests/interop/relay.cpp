// A C++ service between two others: it passes every call on, with its context, and every error
// back.
//
//   interop_relay --url URL serve TOPIC --server NAME --next TOPIC
//
// Prints one line "ready" once it consumes, and its spans to standard error. SIGTERM ends it.
#include <oslo/messaging/messaging.hpp>
#include <string_view>

#include "service.hpp"

namespace om = oslo::messaging;

int main(int argc, char** argv) {
  return om::interop::run_service(argc, argv, [](const om::interop::service_options& options) {
    const auto log = om::stderr_logger(om::log_level::info);
    const auto bus =
        om::open_transport(options["url"], {.log = log, .tracer = om::log_tracer(log, "relay")});
    const om::blocking::client next{bus, {.topic = options["next"]}};
    const auto all = std::make_shared<om::rpc::endpoint>();
    all->bind_any([&](std::string_view name, const om::context& ctxt, om::raw_json args) {
      const om::rpc::method<om::raw_json(om::raw_json)> method{name};
      return next.call(method, ctxt, std::move(args));
    });
    om::rpc::server server{bus, {.topic = options.topic, .server = options["server"]}, {all}};
    server.start();
    om::interop::serve_until_told();
    server.stop();
    server.wait();
  });
}
