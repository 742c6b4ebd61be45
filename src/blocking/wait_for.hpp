// How a thread waits for an operation of the asynchronous faces.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/transport.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "core/features.hpp"
#include "core/saturating.hpp"
#include "core/tasks/handover.hpp"

namespace oslo::messaging::blocking {

/// How errors speak of an operation.
struct operation {
  std::string_view kind;     ///< "call"
  std::string_view name;     ///< of the method, or the type of the event
  std::string_view where{};  ///< topic, if it has one of its own
  /// How long the driver lets it last; none: as long as `retry` says.
  std::optional<std::chrono::milliseconds> limit{};

  /// `call of "add" on topic "calc"`
  std::string text() const {
    std::string out(kind);
    out.append(" of \"").append(name).append("\"");
    if (!where.empty()) out.append(" on topic \"").append(where).append("\"");
    return out;
  }
};

/// The driver keeps deadlines. This margin above them only matters when the loop does not run.
constexpr std::chrono::milliseconds loop_margin{5'000};

/// What `begin(cancel, done)` completes with. `R` is a `result`.
template <class R, class Begin>
R wait_for(const transport& bus, const operation& what, std::stop_token cancel, Begin begin) {
  if (auto why = of_another_process(bus)) return *std::move(why);
  if (!bus.loop().may_wait_here())
    return failure(errc::would_deadlock,
                   "A blocking " + what.text() +
                       " was made on the transport's loop, or on the only thread that "
                       "runs it, which would have to complete it.");
  const auto outcome = std::make_shared<handover<R>>();
  std::stop_source given_up;
  const std::stop_callback on_cancel(std::move(cancel), [&given_up] { given_up.request_stop(); });
  begin(given_up.get_token(), [outcome](R r) { outcome->put(std::move(r)); });
  auto limit = what.limit;
  if (limit) limit = saturating_add(*limit, loop_margin);
  if (auto r = outcome->take(limit)) return *std::move(r);
  given_up.request_stop();
  return failure(errc::timed_out, "The " + what.text() + " did not complete within " +
                                      std::to_string(limit.value_or(loop_margin).count()) +
                                      " ms, because the transport's loop does not run.");
}

}  // namespace oslo::messaging::blocking
