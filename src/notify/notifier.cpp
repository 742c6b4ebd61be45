#include <oslo/messaging/notify/notifier.hpp>
#include <utility>

#include "notify/notifier_core.hpp"

namespace oslo::messaging::notify {

notifier::notifier(transport bus, notifier_options o)
    : core_(std::make_shared<detail::notifier_core>(std::move(bus), std::move(o))) {}

notifier notifier::prepare(const notifier_changes& changes) const {
  auto changed = std::make_shared<detail::notifier_core>(*core_);
  changes.publisher_id.apply_to(changed->o.publisher_id);
  if (changes.retry.given()) {
    const auto retry = changes.retry.get();
    changed->o.retry =
        retry ? detail::checked_retry(*retry) : detail::configured_retry(core_->bus.conf());
  }
  return notifier(std::move(changed));
}

bool notifier::is_enabled() const {
  const auto& names = *core_->o.drivers;
  return names.size() != 1 || names.front() != "noop";
}
const std::optional<std::string>& notifier::publisher_id() const {
  return core_->o.publisher_id;
}
const std::vector<std::string>& notifier::topics() const {
  return *core_->o.topics;
}
const std::vector<std::string>& notifier::drivers() const {
  return *core_->o.drivers;
}
int notifier::retry() const {
  return *core_->o.retry;
}
std::optional<std::chrono::milliseconds> notifier::timeout() const {
  return core_->o.timeout;
}
const transport& notifier::bus() const {
  return core_->bus;
}

void notifier::send_text(notify::priority p, const context& ctxt, std::string_view event_type,
                         const result<std::string>& payload, std::stop_token cancel,
                         unique_function<void(report)> done) const {
  if (!core_) {
    if (done) done(messaging::detail::moved_from(detail::notifier_core::handle_name));
    return;
  }
  core_->send(p, ctxt, event_type, payload, std::move(cancel), std::move(done));
}

}  // namespace oslo::messaging::notify
