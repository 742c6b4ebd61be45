#include <algorithm>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify/notifier.hpp>
#include <oslo/messaging/notify/options.hpp>

#include "core/unique_id.hpp"
#include "notify/drivers.hpp"
#include "notify/message_text.hpp"
#include "notify/reports.hpp"

namespace oslo::messaging::notify {
namespace {

std::vector<std::string> without_blanks(std::vector<std::string> names) {
  std::erase(names, std::string());
  return names;
}

/// `retry` of options and of prepare.
int checked(int retry) {
  if (retry < -1)
    throw configuration_error(
        {errc::invalid_argument, "retry must be at least -1, not " + std::to_string(retry) + "."});
  return retry;
}

}  // namespace

class notifier::impl {
 public:
  impl(transport b, notifier_options opts) : bus(std::move(b)), o(std::move(opts)) {
    const auto group = read_options(bus.conf());
    if (!o.topics) o.topics = group.list("topics");
    if (!o.drivers) o.drivers = without_blanks(group.list("driver"));
    if (!o.retry) o.retry = group.is_set("retry") ? static_cast<int>(group.integer("retry")) : -1;
    checked(*o.retry);
    if (!o.redact) o.redact = no_context;
    std::vector<std::string> loaded;
    for (const auto& name : *o.drivers) {
      if (std::find(loaded.begin(), loaded.end(), name) != loaded.end()) continue;
      if (auto made = make_notification_driver(name, bus, *o.topics)) {
        drivers.push_back(std::move(made));
        loaded.push_back(name);
      } else {
        bus.log()(log_level::warning, "There is no notification driver \"" + name +
                                          "\"; the notifier goes on without it.");
      }
    }
    o.drivers = std::move(loaded);
  }

  /// The message, or why there is none.
  result<outgoing_notification> make(notify::priority p, const context& ctxt,
                                     std::string_view event_type, std::string_view payload) const {
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
      const std::string id = unique_id_dashed();
      const std::string now = timestamp_text(std::chrono::system_clock::now());
      n.body = message_text({id, o.publisher_id, event_type, p, payload, now});
      return n;
    } catch (const messaging_error& e) {
      return e.failure();
    } catch (const std::exception& e) {  // of the application's serializer or redaction
      return failure(errc::serialization_failed,
                     std::string("The serializer cannot write the notification: ") + e.what());
    }
  }

  transport bus;
  notifier_options o;  // complete
  std::vector<std::shared_ptr<const notification_driver>> drivers;
};

notifier::notifier(transport bus, notifier_options o)
    : impl_(std::make_shared<impl>(std::move(bus), std::move(o))) {}

notifier notifier::prepare(const notifier_changes& changes) const {
  auto changed = std::make_shared<impl>(*impl_);
  if (changes.publisher_id) changed->o.publisher_id = changes.publisher_id;
  if (changes.retry) changed->o.retry = checked(*changes.retry);
  return notifier(std::move(changed));
}

bool notifier::is_enabled() const noexcept {
  const auto& names = *impl_->o.drivers;
  return names.size() != 1 || names.front() != "noop";
}
const std::optional<std::string>& notifier::publisher_id() const noexcept {
  return impl_->o.publisher_id;
}
const std::vector<std::string>& notifier::topics() const noexcept {
  return *impl_->o.topics;
}
const std::vector<std::string>& notifier::drivers() const noexcept {
  return *impl_->o.drivers;
}
int notifier::retry() const noexcept {
  return *impl_->o.retry;
}
const transport& notifier::bus() const noexcept {
  return impl_->bus;
}

void notifier::async_notify_json(notify::priority p, context ctxt, std::string_view event_type,
                                 std::string_view payload_json, std::stop_token cancel,
                                 unique_function<void(report)> done) const {
  auto made = impl_->make(p, ctxt, event_type, payload_json);
  if (!made) return refuse(event_type, made.error(), std::move(done));
  made->cancel = std::move(cancel);
  // One more than there are drivers: the last one to report is then the loop, also when every
  // driver is done before this returns.
  const auto all = std::make_shared<reports>(impl_->drivers.size() + 1, std::move(done));
  for (const auto& d : impl_->drivers)
    d->notify(*made, [all](report r) { all->add(std::move(r)); });
  impl_->bus.loop().post([all] { all->add({}); });
}

void notifier::refuse(std::string_view event_type, const failure& why,
                      unique_function<void(report)> done) const {
  impl_->bus.log()(log_level::error, "Could not write notification " + std::string(event_type) +
                                         ": " + why.message());
  impl_->bus.loop().post([done = std::move(done), why]() mutable {
    if (done) done(why);
  });
}

void notifier::send_text(notify::priority p, context ctxt, std::string_view event_type,
                         result<std::string> payload, std::stop_token cancel,
                         unique_function<void(report)> done) const {
  if (!payload) return refuse(event_type, payload.error(), std::move(done));
  async_notify_json(p, std::move(ctxt), event_type, *payload, std::move(cancel), std::move(done));
}

}  // namespace oslo::messaging::notify
