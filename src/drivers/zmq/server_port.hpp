// A ROUTER that servers are reached at, and the clients that have come to it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <vector>

#include "drivers/zmq/context.hpp"
#include "drivers/zmq/inbox.hpp"
#include "drivers/zmq/matchmaker.hpp"
#include "drivers/zmq/own_wire.hpp"
#include "drivers/zmq/socket.hpp"

namespace oslo::messaging::zmq {

/// On the loop.
class server_port final : public std::enable_shared_from_this<server_port> {
 public:
  static constexpr std::size_t most_clients = 100'000;
  /// What a client has not read yet; one that reads nothing of more is left.
  static constexpr std::size_t most_unread = 100'000, most_unread_bytes = std::size_t{64} << 20;

  server_port(context_ptr c, std::string server_id);
  ~server_port() { close(); }

  /// Binds the first of the places that can be had.
  result<void> bind(const std::vector<std::string>& places);
  const std::string& place() const noexcept { return place_; }
  const std::string& bound() const noexcept { return bound_; }
  /// Begins to read.
  void start();
  void add(std::shared_ptr<inbox> i);
  std::size_t listeners() const noexcept { return inboxes_.size(); }
  std::uint32_t new_subscription_id() noexcept { return ++last_id_; }
  /// `stopped`: a listener takes nothing more; `gone`: and all its messages are settled.
  void watch(std::function<void(inbox&)> stopped, std::function<void(inbox&)> gone) {
    on_stopped_ = std::move(stopped);
    on_gone_ = std::move(gone);
  }

  // For inboxes and messages.
  void tell(const std::string& client, verb what, std::string_view id, std::string head = {});
  void settle(const std::string& client, std::string id);
  void reply(const arrived& to, std::string body, bool heartbeat,
             unique_function<void(result<void>)> done);
  void listener_stopped(inbox& i);
  void listener_gone(inbox& i);

  void stop_listeners();
  /// Says good-bye and reads until every client has answered it, or for `limit`: what is unread
  /// when a connection closes takes with it what was said last. Then closes and calls `done`.
  void leave(std::chrono::milliseconds limit, unique_function<void()> done);
  /// At once; idempotent.
  void close();

 private:
  struct client {
    std::string identity;
    std::deque<frames> unread{};  // what its pipe had no room for
    std::size_t unread_bytes = 0;
    std::vector<std::string> settled{};
  };
  struct late_reply {
    std::string client;
    frames message;
    scheduler::time_point until;
    unique_function<void(result<void>)> done;
  };
  void look();
  void take(std::string_view identity, frame_views in);
  void take_own(std::string_view identity, const own_message& m);
  void hello(std::string_view identity, std::string_view id);
  void forget(const std::string& client_id);
  sent send(client& to, frames message);
  void greet_all();
  void say_bye();
  void look_whether_left();
  std::string greeting_text() const;
  void flush_settled();
  void tick_soon();
  void tick();

  const context_ptr context_;
  const std::string server_id_;
  std::unique_ptr<watched_socket> socket_;
  std::string place_, bound_;
  std::vector<std::shared_ptr<inbox>> inboxes_;
  std::map<std::string, client, std::less<>> clients_;  // by id
  std::map<std::string, std::string, std::less<>> ids_of_identities_;
  std::vector<std::string> with_settled_;
  bool settling_ = false, ticking_ = false, leaving_ = false, closed_ = false;
  unique_function<void()> on_left_;
  scheduler::timer_id farewell_ = scheduler::timer_id::none;
  scheduler::timer_id timer_ = scheduler::timer_id::none;
  std::deque<late_reply> late_;
  std::uint32_t last_id_ = 0;
  std::function<void(inbox&)> on_stopped_, on_gone_;
  received in_;
};

}  // namespace oslo::messaging::zmq
