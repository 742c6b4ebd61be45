// What a transport has to be able to do for what is asked of it.
#pragma once

#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging {

enum class feature { rpc, notifications, requeue, fanout, pools };

/// As the sentence "… cannot …" says it.
constexpr std::string_view to_string(feature f) noexcept {
  switch (f) {
    case feature::rpc: return "carry RPC";
    case feature::notifications: return "carry notifications";
    case feature::requeue: return "give messages back for another delivery";
    case feature::fanout: return "send to all servers of a topic";
    case feature::pools: return "copy notifications to pools of listeners";
  }
  return "do this";
}

constexpr bool has(const capabilities& c, feature f) noexcept {
  switch (f) {
    case feature::rpc: return c.rpc;
    case feature::notifications: return c.notifications;
    case feature::requeue: return c.requeue;
    case feature::fanout: return c.fanout;
    case feature::pools: return c.pools;
  }
  return false;
}

/// Why the transport cannot do it; none when it can. One that was opened in the parent of this
/// process cannot be asked, and says so itself when it is used.
inline std::optional<failure> missing(const transport& bus, feature f) {
  if (bus.inherited() || has(bus.driver().caps(), f)) return std::nullopt;
  return failure(errc::not_supported, "The driver of " + bus.url().transport + ":// cannot " +
                                          std::string(to_string(f)) + ".");
}

/// Why nothing can go over the transport in this process; none in the one that opened it.
inline std::optional<failure> of_another_process(const transport& bus) {
  if (!bus.inherited()) return std::nullopt;
  return failure(errc::wrong_process, "The transport for " + redacted(bus.url()) +
                                          " was opened in the parent of this process. Open one "
                                          "here.");
}

/// Throws `messaging_error` (`errc::not_supported`) when the transport cannot do it.
inline void require(const transport& bus, feature f) {
  if (auto why = missing(bus, f)) throw messaging_error(*std::move(why));
}

}  // namespace oslo::messaging
