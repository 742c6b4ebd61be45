// What would hurt a program on its bus, found before it runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <oslo/messaging/config.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging {

class driver_registry;

/// How much a finding matters.
enum class severity : std::uint8_t {
  ok,       ///< looked at, and well
  note,     ///< good to know; hurts nobody
  warning,  ///< will hurt later, or some messages
  error,    ///< fails now
};
/// "ok" and so on.
std::string_view to_string(severity s) noexcept;

/// One thing that was looked at.
struct finding {
  severity level = severity::ok;  ///< how much it matters
  std::string subject;            ///< "host broker1:5672", "queue store", "configuration"
  std::string text;               ///< what is; one line of UTF-8, never with a password
  std::string advice{};  ///< what to do about it, likewise; empty where nothing is to be done
  bool operator==(const finding&) const = default;
};

/// True when one of them is a warning or an error.
bool hurts(std::span<const finding> all) noexcept;

/// What a program is on its bus, which decides what it needs there.
enum class bus_role : std::uint8_t { client, server, notifier, listener };

/// What to look at.
struct checkup {
  /// Of RPC, and of notifications where their queues exist. Empty: those of option topics of
  /// [oslo_messaging_notifications].
  std::vector<std::string> topics{};
  /// Empty: client and server of `topics`; without topics client, notifier and listener.
  std::vector<bus_role> roles{};
  /// Of all of it; each step has 5 s of that at most.
  std::chrono::milliseconds timeout{30'000};
};

/// Reads the configuration and the bus of `url` (empty: that of `conf`, and that of its
/// notifications), tries what a program of these roles does there, and tells what it found, in the
/// order in which it looked. Whatever is wrong is a finding and no exception.
///
/// Nothing of the broker is changed: no exchange, queue, binding or message is made, taken or
/// deleted. The credentials go where a transport would send them, and as late: behind the
/// verification of the broker's certificate, where TLS is on.
///
/// Blocks for `timeout` and two seconds more at most. Without a log.
/// Thread safety: may be called from any thread.
std::vector<finding> examine(std::string_view url, const config& conf, const checkup& what = {});
/// The same with drivers of the application's choice.
std::vector<finding> examine(std::string_view url, const config& conf, const checkup& what,
                             const driver_registry& drivers);

}  // namespace oslo::messaging

#pragma GCC visibility pop
