// A listener whose filters and failures the test chooses; peer_notify.py knows the rules, too.
//
//   interop_notify --url URL listen TOPIC --pool NAME [--count N] [--rules JSON]
//                  [--fail EVENT --after N --dead-letters TOPIC]
//
// Of each notification it prints {"rule": number, "n": context key n} for each of the rules that
// match, then {"event_type": …}. Standard error gets the line "ready". Ends after N notifications,
// or by SIGTERM.
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <vector>

#include "service.hpp"

namespace om = oslo::messaging;
using om::notify::notification;

namespace {

std::map<std::string, std::string> patterns_in(const om::object& rules, const char* name) {
  std::map<std::string, std::string> out;
  if (const auto* const all = rules.if_contains(name))
    for (const auto& [key, pattern] : all->as_object()) out[key] = pattern.as_string();
  return out;
}

om::notify::filter filter_of(const om::object& rules) {
  const auto text = [&](const char* name) -> std::optional<std::string> {
    if (const auto* const v = rules.if_contains(name)) return std::string(v->as_string());
    return std::nullopt;
  };
  return om::notify::filter_rules{.context = patterns_in(rules, "context"),
                                  .publisher_id = text("publisher_id"),
                                  .event_type = text("event_type"),
                                  .metadata = patterns_in(rules, "metadata"),
                                  .payload = patterns_in(rules, "payload")};
}

std::shared_ptr<om::notify::endpoint> with_filter(std::size_t number, const om::object& rules) {
  auto e = std::make_shared<om::notify::endpoint>(filter_of(rules));
  for (const auto p : om::notify::all_priorities)
    e->bind(p, [number](const om::context& ctxt) {
      std::printf("{\"rule\": %zu, \"n\": %s}\n", number,
                  std::string(ctxt.find("n")->as_string()).c_str());
    });
  return e;
}

}  // namespace

int main(int argc, char** argv) {
  return om::interop::run_service(argc, argv, [](const om::interop::service_options& options) {
    const auto bus =
        om::open_transport(options["url"], {.log = om::stderr_logger(om::log_level::error)});
    std::vector<std::shared_ptr<om::notify::endpoint>> endpoints;
    const auto rules = om::parse_json(options.find("rules").value_or("[]"));
    for (const auto& r : rules.as_array())
      endpoints.push_back(with_filter(endpoints.size(), r.as_object()));
    auto last = std::make_shared<om::notify::endpoint>();
    std::atomic<int> left{std::stoi(options.find("count").value_or("1000000"))};
    for (const auto p : om::notify::all_priorities)
      last->bind(p, [&](const notification& n) {
        std::string line = "{\"event_type\": ";
        om::write_json(line, n.event_type.value_or(""));
        std::puts((line + "}").c_str());
        std::fflush(stdout);
        if (--left == 0) kill(getpid(), SIGTERM);
        if (n.event_type && options.find("fail") == n.event_type)
          throw std::runtime_error("as it was told");
      });
    endpoints.push_back(last);
    om::notify::listener_options o;
    o.executor = om::thread_pool(1);
    o.allow_requeue = true;
    o.pool = options.find("pool");
    if (const auto topic = options.find("dead-letters")) {
      o.dead_letters.emplace();
      o.dead_letters->after = std::stoul(options["after"]);
      o.dead_letters->to.topic = topic;
    }
    om::notify::listener l{bus, {{.topic = options.topic}}, endpoints, o};
    l.start();
    om::interop::serve_until_told(stderr);
    if (!l.drain(std::chrono::seconds(20))) throw std::runtime_error("it did not drain");
  });
}
