#include <memory>
#include <oslo/messaging/blocking.hpp>

#include "core/features.hpp"
#include "core/saturating.hpp"
#include "core/tasks/handover.hpp"

namespace oslo::messaging::blocking {
namespace {

/// The driver keeps deadlines. This margin above it only matters when the loop does not
/// run.
constexpr std::chrono::milliseconds margin{5'000};

std::optional<std::chrono::milliseconds> with_margin(
    std::optional<std::chrono::milliseconds> limit) {
  if (limit) limit = saturating_add(*limit, margin);
  return limit;
}

failure deadlock() {
  return {errc::would_deadlock,
          "A blocking call was made on the transport's loop, or on the only thread that runs it, "
          "which would have to complete it."};
}

failure stuck() {
  return {errc::timed_out,
          "The call did not complete in time, because the transport's loop does not run."};
}

}  // namespace

client::text client::call_text(std::string_view name, std::optional<rpc::method_version> since,
                               context ctxt, text args, std::stop_token cancel) const {
  if (!args) return args;
  if (auto why = of_another_process(async_.bus())) return *std::move(why);
  if (!async_.bus().loop().may_wait_here()) return deadlock();
  const auto answer = std::make_shared<handover<text>>();
  std::stop_source given_up;
  const std::stop_callback on_cancel(std::move(cancel), [&given_up] { given_up.request_stop(); });
  async_.async_call_json(name, std::move(ctxt), *args, {since, given_up.get_token()},
                         [answer](text r) { answer->put(std::move(r)); });
  auto r = answer->take(with_margin(async_.options().timeout));
  if (r) return *std::move(r);
  given_up.request_stop();
  return stuck();
}

result<void> client::cast_text(std::string_view name, std::optional<rpc::method_version> since,
                               context ctxt, text args, std::stop_token cancel) const {
  if (!args) return args.error();
  if (auto why = of_another_process(async_.bus())) return *std::move(why);
  if (!async_.bus().loop().may_wait_here()) return deadlock();
  const auto answer = std::make_shared<handover<result<void>>>();
  std::stop_source given_up;
  const std::stop_callback on_cancel(std::move(cancel), [&given_up] { given_up.request_stop(); });
  async_.async_cast_json(name, std::move(ctxt), *args, {since, given_up.get_token()},
                         [answer](result<void> r) { answer->put(std::move(r)); });
  // Without a limit it may wait for the broker as long as `retry` says, so only the driver can end
  // it.
  auto r = answer->take(with_margin(async_.cast_timeout()));
  if (r) return *std::move(r);
  given_up.request_stop();
  return stuck();
}

}  // namespace oslo::messaging::blocking
