// Whether a transport can do its work right now.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// One direction of a transport.
enum class link_state : std::uint8_t {
  idle,        ///< not needed so far: nothing was sent, or nothing is listened to
  connecting,  ///< on its way, or between two attempts
  connected,
  blocked,  ///< connected, but the broker takes no messages for now (memory or disk alarm)
  refused,  ///< the broker said no (credentials, virtual host, TLS); tried again slowly
  closed,   ///< by `transport::close`
};

/// "connected" and so on.
std::string_view to_string(link_state s) noexcept;

/// What `transport::health` answers: a value, so that two can be compared.
struct transport_health {
  link_state publishing = link_state::idle;  ///< the connection that sends
  link_state consuming = link_state::idle;   ///< the connection that receives, replies included
  std::string broker{};  ///< "host:port" of the last attempt; empty where there is no broker
  /// Why a direction is not connected, or is blocked; never holds a password. Empty: all is well.
  std::string reason{};
  /// The last `transport::probe` did not come back although both directions looked connected. Ends
  /// with the next reply of any kind, and with the connection.
  bool deaf = false;
  /// "host:port" of the peer that the connection that sends was made to, its address as a number
  /// ("[::1]:5672"); empty while it is not up, and where there is no connection.
  std::string publishing_peer{};
  std::string consuming_peer{};  ///< likewise of the connection that receives

  /// True when nothing that is needed is missing.
  bool ok() const noexcept {
    const auto fine = [](link_state s) {
      return s == link_state::idle || s == link_state::connected;
    };
    return fine(publishing) && fine(consuming) && !deaf;
  }
  bool operator==(const transport_health&) const = default;
};

/// What `watch_health` returns: its callback is called for as long as this lives, or until `reset`.
/// A call that is under way at that time may still end afterwards. Moved, not copied; empty when
/// made by default.
///
/// Thread safety: one thread at a time, any thread. Destroy it wherever you like, in the callback
/// too.
class [[nodiscard]] health_watch {
 public:
  health_watch() noexcept = default;
  /// For `watch_health`.
  explicit health_watch(std::shared_ptr<void> callback) noexcept : callback_(std::move(callback)) {}
  health_watch(health_watch&&) noexcept = default;
  health_watch& operator=(health_watch&&) noexcept = default;

  /// Ends the watch.
  void reset() noexcept { callback_.reset(); }
  /// True while it watches.
  explicit operator bool() const noexcept { return callback_ != nullptr; }

 private:
  std::shared_ptr<void> callback_;
};

}  // namespace oslo::messaging

#pragma GCC visibility pop
