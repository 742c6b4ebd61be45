// A listener: what has arrived for it, and who may send more.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <unordered_map>
#include <variant>

#include "drivers/zmq/context.hpp"
#include "drivers/zmq/own_wire.hpp"
#include "protocol/dedup_window.hpp"
#include "wire/request.hpp"

namespace oslo::messaging::zmq {

class server_port;

/// A request on its way through this process.
struct arrived {
  std::uint32_t subscription = 0;  ///< of the inbox that took it
  std::string client;  ///< the id of a transport of this library; of an old peer its identity
  std::string id;      ///< names it towards that client
  bool old = false;
  bool wants_reply = false;
  bool again = false;
  std::uint32_t requeues = 0;
  std::optional<scheduler::time_point> deadline{};
  std::vector<message_header> headers{};
  std::variant<wire::incoming_request, old_request> content{};
  std::size_t bytes = 0;
};
using arrived_ptr = std::shared_ptr<arrived>;

/// Turns of one client at one listener: a listener without room refuses the rest of a turn, so that
/// what comes again keeps its order.
struct client_turn {
  std::uint32_t refused_below = 0;  ///< turns below this one are refused
  std::uint32_t credit = 0;         ///< of the present turn; 0: without a limit
  bool waiting = false;
};

/// On the loop, as `listener` says.
class inbox final : public std::enable_shared_from_this<inbox> {
 public:
  static constexpr std::size_t default_prefetch = 256;
  static constexpr std::size_t most_unlimited = 1'000'000;
  static constexpr std::size_t most_bytes = std::size_t{64} << 20;

  inbox(context_ptr c, std::shared_ptr<server_port> port, std::vector<subscription> subscriptions,
        std::size_t prefetch);

  const std::vector<subscription>& subscriptions() const noexcept { return subscriptions_; }
  scheduler& loop() const noexcept { return *context_->loop; }
  server_port& port() const noexcept { return *port_; }

  // What the port brings.
  void take(const std::string& client, const own_message& m, const request_head& h);
  void take_old(std::string_view identity, const old_message& m);
  /// The client has begun anew and sends again what it has no word of.
  void forget_waiting(const std::string& client);
  void client_left(const std::string& client);

  // What the owner of the listener wants.
  void next(std::size_t max, unique_function<void(incoming_batch)> done);
  void stop();
  void ready(unique_function<void(result<void>)> done);
  void when_gone(unique_function<void()> done);
  bool stopped() const noexcept { return stopped_; }
  /// What `ready` says.
  void set_verdict(result<void> r);

  // What became of a message that was handed out.
  void acknowledge(const arrived_ptr& a);
  void give_back(const arrived_ptr& a, bool counts);
  void return_to_client(const arrived_ptr& a);
  void handed_back() noexcept;  ///< one of them has been destroyed

 private:
  std::size_t room() const noexcept;
  bool turn_allows(client_turn& t, const std::string& client, const own_message& m,
                   const request_head& h);
  void push(arrived_ptr a);
  void serve();
  void grant();
  void look_whether_gone();

  const context_ptr context_;
  const std::shared_ptr<server_port> port_;
  const std::vector<subscription> subscriptions_;
  const std::size_t prefetch_;
  std::deque<arrived_ptr> queue_;
  std::size_t bytes_ = 0;
  std::size_t asked_ = 0;
  unique_function<void(incoming_batch)> pull_;
  bool serving_posted_ = false;
  std::map<std::pair<std::string, std::uint32_t>, client_turn> turns_;
  std::deque<std::pair<std::string, std::uint32_t>> waiting_;
  std::unordered_map<std::string, arrived_ptr> known_;  // taken, not settled; by client and id
  protocol::dedup_window settled_;
  std::size_t handed_out_ = 0;
  bool stopped_ = false, gone_ = false;
  std::optional<result<void>> verdict_;
  std::vector<unique_function<void(result<void>)>> ready_;
  std::vector<unique_function<void()>> on_gone_;
};

/// The handle that owners of a listener hold: whoever lets go of it stops the inbox.
std::shared_ptr<listener> make_handle(std::shared_ptr<inbox> of);

}  // namespace oslo::messaging::zmq
