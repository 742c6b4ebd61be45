#include "notify/notifier_core.hpp"

#include <algorithm>
#include <limits>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify/options.hpp>
#include <utility>

#include "core/unique_id.hpp"
#include "notify/message_text.hpp"

namespace oslo::messaging::notify::detail {
namespace {

std::vector<std::string> without_blanks(std::vector<std::string> names) {
  std::erase(names, std::string());
  return names;
}

}  // namespace

int checked_retry(int retry) {
  if (retry < -1)
    throw configuration_error(
        {errc::invalid_argument, "retry must be at least -1, not " + std::to_string(retry) + "."});
  return retry;
}

notifier_core::notifier_core(transport b, notifier_options opts)
    : bus(std::move(b)), o(std::move(opts)) {
  const auto group = read_options(bus.conf());
  if (!o.topics) o.topics = group.list("topics");
  if (!o.drivers) o.drivers = without_blanks(group.list("driver"));
  if (!o.retry)
    o.retry = group.is_set("retry") ? static_cast<int>(std::min<std::int64_t>(
                                          group.integer("retry"), std::numeric_limits<int>::max()))
                                    : -1;
  checked_retry(*o.retry);
  if (!o.routing_config) o.routing_config = group.string("routing_config");
  if (!o.redact) o.redact = no_context;
  std::vector<std::string> loaded;
  for (const auto& name : *o.drivers) {
    if (std::find(loaded.begin(), loaded.end(), name) != loaded.end()) continue;
    if (const auto made = make_notification_driver(name, bus, *o.topics, *o.routing_config)) {
      sinks.insert(sinks.end(), made->begin(), made->end());
      loaded.push_back(name);
    } else {
      bus.log()(log_level::warning, "There is no notification driver \"" + name +
                                        "\"; the notifier goes on without it.");
    }
  }
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
  } catch (const messaging_error& e) {
    return e.failure();
  } catch (const std::exception& e) {  // of the application's serializer or redaction
    return failure(errc::serialization_failed,
                   std::string("The serializer cannot write the notification: ") + e.what());
  }
}

}  // namespace oslo::messaging::notify::detail
