#include "notify/notifier_core.hpp"

#include <algorithm>
#include <limits>
#include <oslo/messaging/detail/current_failure.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify/options.hpp>
#include <utility>

#include "core/config/option_lookup.hpp"
#include "core/features.hpp"
#include "core/json/one_value.hpp"
#include "core/unique_id.hpp"
#include "notify/joint_outcome.hpp"
#include "notify/message_text.hpp"

namespace oslo::messaging::notify::detail {
namespace {

constexpr std::string_view options_group = "oslo_messaging_notifications";

std::vector<wanted_driver> wanted_drivers(const notifier_options& o, const config& conf) {
  if (!o.drivers) return configured_drivers(conf);
  std::vector<wanted_driver> out;
  for (const auto& name : *o.drivers) out.push_back({name});
  return out;
}

}  // namespace

failure no_taker() {
  return {errc::not_sent,
          "Nothing was sent: the notifier has no driver that could, or no topic to send to."};
}

int checked_retry(int retry) {
  if (retry < -1)
    throw configuration_error(
        {errc::invalid_argument, "retry must be at least -1, not " + std::to_string(retry) + "."});
  return retry;
}

int configured_retry(const config& conf) {
  const auto group = read_options(conf);
  if (!group.is_set("retry")) return -1;
  return static_cast<int>(
      std::min<std::int64_t>(group.integer("retry"), std::numeric_limits<int>::max()));
}

notifier_core::notifier_core(transport b, notifier_options opts)
    : bus(std::move(b)), o(std::move(opts)) {
  const auto group = read_options(bus.conf());
  for (const auto& line : former_names_in_use(bus.conf(), options_group, notification_options()))
    bus.log()(log_level::warning, line);
  if (!o.topics) o.topics = group.list("topics");
  o.retry = o.retry ? checked_retry(*o.retry) : configured_retry(bus.conf());
  if (!o.routing_config) o.routing_config = group.string("routing_config");
  if (!o.redact) o.redact = no_context;
  check_custom_drivers(o.custom_drivers);
  std::vector<std::string> loaded;
  const driver_sources sources{bus, *o.topics, *o.routing_config, o.custom_drivers};
  for (const auto& wanted : wanted_drivers(o, bus.conf())) {
    if (std::find(loaded.begin(), loaded.end(), wanted.name) != loaded.end()) continue;
    const auto made = make_notification_driver(wanted.name, sources);
    if (!made) throw configuration_error(no_such_driver(wanted, o.custom_drivers));
    sinks.insert(sinks.end(), made->begin(), made->end());
    loaded.push_back(wanted.name);
  }
  if (loaded.empty())
    bus.log()(log_level::warning, "The notifier has no driver: it sends its messages nowhere.");
  o.drivers = std::move(loaded);
}

result<outgoing_notification> notifier_core::make(notify::priority p, const context& ctxt,
                                                  std::string_view event_type,
                                                  std::string_view payload) const {
  try {
    outgoing_notification n;
    n.event_type = event_type;
    n.priority = p;
    n.retry = *o.retry;
    n.timeout = o.timeout;
    n.ctxt = o.redact(ctxt);
    require_one_value("The payload of a notification", payload);
    std::string translated;
    if (o.serializer) {
      translated = to_json(o.serializer->serialize_entity(ctxt, parse_json(payload)));
      payload = translated;
      n.ctxt = o.serializer->serialize_context(n.ctxt);
    }
    n.message_id = unique_id_dashed();
    const std::string now = timestamp_text(std::chrono::system_clock::now());
    n.body = message_text(
        {n.message_id, o.publisher_id, event_type, p, payload, now, o.lower_case_priority});
    return n;
  } catch (...) {  // of the application's serializer or redaction
    return messaging::detail::current_failure(errc::serialization_failed,
                                              "The serializer cannot write the notification");
  }
}

void notifier_core::send(notify::priority p, const context& ctxt, std::string_view event_type,
                         const result<std::string>& payload, std::stop_token cancel,
                         unique_function<void(result<void>)> done) const {
  // No loop would report later, and the lock of a log may be held for ever.
  if (auto why = of_another_process(bus)) {
    if (done) done(*std::move(why));
    return;
  }
  if (sinks.empty())
    return bus.loop().post([done = std::move(done)]() mutable {
      if (done) done(no_taker());
    });
  if (!payload) return refuse(event_type, payload.error(), std::move(done));
  auto made = make(p, ctxt, event_type, *payload);
  if (!made) return refuse(event_type, made.error(), std::move(done));
  made->cancel = std::move(cancel);
  // One more than there are drivers, so that `done` is not called before this returns.
  const auto all = std::make_shared<joint_outcome>(sinks.size() + 1, std::move(done));
  for (const auto& sink : sinks) try {
      sink->notify(*made, [all](result<void> r) { all->add(std::move(r)); });
    } catch (...) {
      all->add(
          messaging::detail::current_failure(errc::not_sent, "The notification could not be sent"));
    }
  if (!all->add_unless_last()) bus.loop().post([all] { all->add({}); });
}

void notifier_core::refuse(std::string_view event_type, const failure& why,
                           unique_function<void(result<void>)> done) const {
  bus.log()(log_level::error,
            "Could not write notification " + std::string(event_type) + ": " + why.message());
  bus.loop().post([done = std::move(done), why]() mutable {
    if (done) done(why);
  });
}

}  // namespace oslo::messaging::notify::detail
