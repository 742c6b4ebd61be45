// _core: transports.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>

#include "bus.hpp"
#include "module.hpp"
#include "text.hpp"
#include "unlocked.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace oslo::messaging::python {
namespace {

using text = std::optional<std::string>;
using topic_row = std::tuple<text, std::string, std::string>;

target make_target(text exchange, std::string topic, text server = {}, bool fanout = false) {
  target t;
  t.exchange = std::move(exchange);
  t.topic = std::move(topic);
  t.server = std::move(server);
  t.fanout = fanout;
  return t;
}

std::shared_ptr<bus> open(const std::string& url, const std::vector<setting>& settings,
                          std::string client_name, int level, std::shared_ptr<log_queue> log) {
  const auto l =
      std::clamp(level, static_cast<int>(log_level::trace), static_cast<int>(log_level::off));
  return ends_unlocked(std::make_shared<bus>(url, settings, std::move(client_name),
                                             static_cast<log_level>(l), std::move(log)));
}

std::shared_ptr<pending> send(bus& b, text exchange, std::string topic, text server, bool fanout,
                              std::string body, bool plain_keys, bool wait_for_reply,
                              std::optional<double> timeout,
                              std::optional<double> call_monitor_timeout, int retry,
                              bool at_least_once) {
  return b.send(make_target(std::move(exchange), std::move(topic), std::move(server), fanout),
                std::move(body),
                {plain_keys, wait_for_reply, timeout, call_monitor_timeout, retry, at_least_once});
}

std::shared_ptr<pending> send_notification(bus& b, text exchange, std::string topic,
                                           std::string body, bool plain_keys, bool envelope,
                                           int retry) {
  return b.send_notification(make_target(std::move(exchange), std::move(topic)), std::move(body),
                             envelope, {.plain_keys = plain_keys, .retry = retry});
}

std::shared_ptr<subscription> listen(bus& b, text exchange, std::string topic, std::string server,
                                     std::size_t prefetch) {
  return ends_unlocked(
      b.listen(make_target(std::move(exchange), std::move(topic), std::move(server)), prefetch));
}

std::shared_ptr<subscription> listen_for_notifications(bus& b, std::vector<topic_row> rows,
                                                       text pool, std::size_t prefetch) {
  std::vector<notification_topic> topics;
  for (auto& [exchange, topic, priority] : rows)
    topics.push_back({make_target(std::move(exchange), std::move(topic)), std::move(priority)});
  return ends_unlocked(b.listen_for_notifications(std::move(topics), std::move(pool), prefetch));
}

}  // namespace

void add_bus(nb::module_& m) {
  nb::class_<transport_health>(m, "Health", "What state the connections are in.")
      .def_prop_ro("publishing",
                   [](const transport_health& h) { return to_str(to_string(h.publishing)); })
      .def_prop_ro("consuming",
                   [](const transport_health& h) { return to_str(to_string(h.consuming)); })
      .def_prop_ro("publishing_peer",
                   [](const transport_health& h) { return to_str(h.publishing_peer); })
      .def_prop_ro("consuming_peer",
                   [](const transport_health& h) { return to_str(h.consuming_peer); })
      .def_prop_ro("reason", [](const transport_health& h) { return to_str(h.reason); })
      .def_prop_ro("ok", &transport_health::ok);

  // Times are seconds; None: for ever.
  nb::class_<bus>(m, "Bus", "A transport: two connections that keep themselves up.")
      .def("send", &send, "exchange"_a.none(), "topic"_a, "server"_a.none(), "fanout"_a, "body"_a,
           "plain_keys"_a, "wait_for_reply"_a, "timeout"_a.none(), "call_monitor_timeout"_a.none(),
           "retry"_a, "at_least_once"_a, "Sends a call or a cast, once somebody waits for it.")
      .def("send_notification", &send_notification, "exchange"_a.none(), "topic"_a, "body"_a,
           "plain_keys"_a, "envelope"_a, "retry"_a, "Sends a notification, likewise.")
      .def("listen", &listen, "exchange"_a.none(), "topic"_a, "server"_a, "prefetch"_a,
           "Takes requests, and acknowledges them as they arrive.")
      .def("listen_for_notifications", &listen_for_notifications, "topics"_a, "pool"_a.none(),
           "prefetch"_a,
           "Takes notifications of (exchange, topic, priority). prefetch 0: very many.")
      .def("health", &bus::health)
      .def("close", &bus::close, "limit"_a, "Ends everything.");

  m.def("open", &open, "url"_a, "settings"_a, "client_name"_a, "level"_a, "log"_a,
        "A bus; nothing is connected yet. Raises RuntimeError for what the library refuses.");
}

}  // namespace oslo::messaging::python
