#include <memory>
#include <oslo/messaging/blocking/notifier.hpp>

#include "core/features.hpp"
#include "core/saturating.hpp"
#include "core/tasks/handover.hpp"

namespace oslo::messaging::blocking {
namespace {

constexpr std::chrono::milliseconds loop_margin{5'000};

}  // namespace

notifier::report notifier::send(messaging::notify::priority p, context ctxt,
                                std::string_view event_type, result<std::string> payload,
                                std::stop_token cancel) const {
  if (auto why = of_another_process(async_.bus())) return *std::move(why);
  if (!async_.bus().loop().may_wait_here())
    return failure(errc::would_deadlock,
                   "A blocking notification was sent on the transport's loop, or on the only "
                   "thread that runs it, which would have to complete it.");
  const auto outcome = std::make_shared<handover<report>>();
  std::stop_source given_up;
  const std::stop_callback on_cancel(std::move(cancel), [&given_up] { given_up.request_stop(); });
  async_.send_text(p, ctxt, event_type, payload, given_up.get_token(),
                   [outcome](report r) { outcome->put(std::move(r)); });
  // The driver keeps the timeout, unless the loop does not run; without one it waits as long as
  // `retry` says.
  auto limit = async_.timeout();
  if (limit) limit = saturating_add(*limit, loop_margin);
  auto r = outcome->take(limit);
  if (r) return *std::move(r);
  given_up.request_stop();
  return failure(errc::timed_out,
                 "The notification was not sent in time, because the transport's loop does not "
                 "run.");
}

}  // namespace oslo::messaging::blocking
