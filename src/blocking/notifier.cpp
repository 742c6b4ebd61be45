#include <memory>
#include <oslo/messaging/blocking/notifier.hpp>

#include "core/features.hpp"
#include "core/tasks/handover.hpp"

namespace oslo::messaging::blocking {

notifier::report notifier::send(messaging::notify::priority p, context ctxt,
                                std::string_view event_type, result<std::string> payload,
                                std::stop_token cancel) const {
  if (auto why = of_another_process(async_.bus())) return *std::move(why);
  if (!async_.bus().loop().may_wait_here())
    return failure(errc::would_deadlock,
                   "A blocking notification was sent on the transport's loop, or on the only "
                   "thread that runs it, which would have to complete it.");
  const auto outcome = std::make_shared<handover<report>>();
  async_.send_text(p, ctxt, event_type, payload, std::move(cancel),
                   [outcome](report r) { outcome->put(std::move(r)); });
  // As long as `retry` and `timeout` say, which only the driver knows.
  return *outcome->take(std::nullopt);
}

}  // namespace oslo::messaging::blocking
