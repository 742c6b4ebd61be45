// A socket of libzmq on the loop.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <oslo/messaging/function.hpp>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "drivers/zmq/context.hpp"
#include "drivers/zmq/old_wire.hpp"

namespace oslo::messaging::zmq {

/// One message that arrived; the views last until the next one.
class received {
 public:
  frame_views views() const noexcept { return views_; }

 private:
  friend class watched_socket;
  std::vector<::zmq::message_t> parts_;
  std::vector<std::string_view> views_;
};

enum class sent { yes, full, nobody };

/// The descriptor of a socket says only that something has changed, and each send or receive may
/// use that up: so the socket is looked at again after either, before the next wait.
///
/// On the loop, but for the destructor.
class watched_socket {
 public:
  /// Makes the socket with what all have in common: bounds, keepalive, heartbeats, linger.
  watched_socket(const context_ptr& c, ::zmq::socket_type type);
  ~watched_socket() { close(); }
  watched_socket(const watched_socket&) = delete;
  watched_socket& operator=(const watched_socket&) = delete;

  ::zmq::socket_t& raw() noexcept { return state_->socket; }
  /// Calls `look` in later turns of the loop whenever there may be something to do: it reads some
  /// messages and returns. It may close or destroy this.
  void start(unique_function<void()> look);
  /// True while it is connected to somebody who takes messages.
  bool writable();
  /// Takes the next message; one of too many frames is left out, with a line in the log.
  bool receive(received& out);
  /// `to`: the identity of the receiver, of a ROUTER.
  sent send(const frames& message, std::string_view to = {});
  void close() noexcept;

 private:
  struct state {
    state(context_ptr c, ::zmq::socket_type type);
    context_ptr context;
    ::zmq::socket_t socket;
    boost::asio::posix::stream_descriptor fd;
    unique_function<void()> look{};
    bool open = true, waiting = false, posted = false;
  };
  static void look_soon(const std::shared_ptr<state>& s);
  static void run(const std::shared_ptr<state>& s);
  int events();

  std::shared_ptr<state> state_;
};

}  // namespace oslo::messaging::zmq
