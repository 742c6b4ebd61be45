#include <oslo/messaging/blocking/notifier.hpp>

#include "blocking/wait_for.hpp"

namespace oslo::messaging::blocking {

notifier::report notifier::send(messaging::notify::priority p, context ctxt,
                                std::string_view event_type, result<std::string> payload,
                                std::stop_token cancel) const {
  if (!async_.core_) return messaging::detail::moved_from("notifier");
  return wait_for<report>(async_.bus(), {"notification", event_type, {}, async_.timeout()},
                          std::move(cancel), [&](std::stop_token given_up, auto done) {
                            async_.send_text(p, ctxt, event_type, payload, std::move(given_up),
                                             std::move(done));
                          });
}

}  // namespace oslo::messaging::blocking
