#include <oslo/messaging/notify/notifier.hpp>
#include <utility>

#include "notify/notifier_core.hpp"
#include "notify/reports.hpp"

namespace oslo::messaging::notify {

notifier::notifier(transport bus, notifier_options o)
    : core_(std::make_shared<detail::notifier_core>(std::move(bus), std::move(o))) {}

notifier notifier::prepare(const notifier_changes& changes) const {
  auto changed = std::make_shared<detail::notifier_core>(*core_);
  if (changes.publisher_id) changed->o.publisher_id = changes.publisher_id;
  if (changes.retry) changed->o.retry = detail::checked_retry(*changes.retry);
  return notifier(std::move(changed));
}

bool notifier::is_enabled() const noexcept {
  const auto& names = *core_->o.drivers;
  return names.size() != 1 || names.front() != "noop";
}
const std::optional<std::string>& notifier::publisher_id() const noexcept {
  return core_->o.publisher_id;
}
const std::vector<std::string>& notifier::topics() const noexcept {
  return *core_->o.topics;
}
const std::vector<std::string>& notifier::drivers() const noexcept {
  return *core_->o.drivers;
}
int notifier::retry() const noexcept {
  return *core_->o.retry;
}
const transport& notifier::bus() const noexcept {
  return core_->bus;
}

void notifier::async_notify_json(notify::priority p, context ctxt, std::string_view event_type,
                                 std::string_view payload_json, std::stop_token cancel,
                                 unique_function<void(report)> done) const {
  (void)core_->bus.driver();  // throws in a child process, where no loop would answer
  auto& loop = core_->bus.loop();
  if (core_->sinks.empty())
    return loop.post([done = std::move(done)]() mutable {
      if (done) done(detail::no_taker());
    });
  auto made = core_->make(p, ctxt, event_type, payload_json);
  if (!made) return refuse(event_type, made.error(), std::move(done));
  made->cancel = std::move(cancel);
  // One more than there are drivers, so that `done` is not called before this returns.
  const auto all = std::make_shared<reports>(core_->sinks.size() + 1, std::move(done));
  for (const auto& sink : core_->sinks)
    sink->notify(*made, [all](report r) { all->add(std::move(r)); });
  if (!all->add_unless_last()) loop.post([all] { all->add({}); });
}

void notifier::refuse(std::string_view event_type, const failure& why,
                      unique_function<void(report)> done) const {
  core_->bus.log()(log_level::error, "Could not write notification " + std::string(event_type) +
                                         ": " + why.message());
  core_->bus.loop().post([done = std::move(done), why]() mutable {
    if (done) done(why);
  });
}

void notifier::send_text(notify::priority p, context ctxt, std::string_view event_type,
                         result<std::string> payload, std::stop_token cancel,
                         unique_function<void(report)> done) const {
  (void)core_->bus.driver();
  if (!payload) return refuse(event_type, payload.error(), std::move(done));
  async_notify_json(p, std::move(ctxt), event_type, *payload, std::move(cancel), std::move(done));
}

}  // namespace oslo::messaging::notify
