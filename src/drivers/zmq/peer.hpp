// A server as its clients see it: one DEALER, and what it listens to.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "drivers/zmq/context.hpp"
#include "drivers/zmq/matchmaker.hpp"
#include "drivers/zmq/own_wire.hpp"
#include "drivers/zmq/socket.hpp"

namespace oslo::messaging::zmq {

struct route;
struct lane;

/// What is sent, in however many copies.
struct content {
  subscription::service of{};
  std::string inner;
  context ctxt;
  notification_format format = notification_format::envelope;
  std::vector<message_header> headers;
  std::string call_id;  ///< of a call
  std::string unique_id;
  std::optional<std::chrono::milliseconds> monitor;
  std::string own_body{};  ///< as own peers get it; written when it is needed
};

/// One copy of a message on its way to one listener. It is kept until that has acknowledged it.
struct copy {
  std::uint64_t order = 0;  ///< among all of the transport
  std::string id;           ///< on the wire
  std::string pending;      ///< whose outcome depends on it
  std::shared_ptr<content> what;
  std::shared_ptr<route> to;
  std::optional<scheduler::time_point> deadline;
  lane* on = nullptr;  ///< where it is on its way
  std::uint32_t turn = 0;
  std::uint64_t sent_as = 0;  ///< among all that went over that lane
  bool in_flight = false;     ///< on the wire, and no word of it
  bool again = false;
  std::uint32_t requeues = 0;
  std::size_t bytes = 0;
};
using copy_ptr = std::shared_ptr<copy>;

/// A destination, with what waits for it. One of: any server of a topic, or that of a name; one
/// listener of a pool; a certain listener.
struct route {
  subscription::service of{};
  std::string exchange, topic, server, pool;
  std::string exact_endpoint;  ///< that listener, when set
  std::uint32_t exact_id = 0;
  std::map<std::uint64_t, copy_ptr> waiting;
  std::vector<lane*> candidates;
  std::uint64_t candidates_of = 0;  ///< which version of the world
  std::size_t turn = 0;
  std::optional<scheduler::time_point> alone_since;  ///< nobody is there for what waits
};

/// The way to one listener of a peer.
struct lane {
  static constexpr std::size_t window = 256;
  static constexpr std::size_t window_bytes = std::size_t{16} << 20;

  class peer* to = nullptr;
  subscription what;
  std::uint32_t turn = 0;
  std::uint32_t credit = 0;  ///< of this turn; 0: no limit
  bool open = true;
  std::uint64_t sent = 0;
  std::size_t in_flight = 0, bytes_in_flight = 0;

  bool takes() const noexcept {
    return open && in_flight < window && (in_flight == 0 || bytes_in_flight < window_bytes);
  }
};

/// What a client does about the words of its peers. On the loop.
class peer_events {
 public:
  virtual ~peer_events() = default;
  virtual void lanes_changed() = 0;           ///< of any peer
  virtual void room_found() = 0;              ///< something that waits may be sent
  virtual void taken(const copy_ptr& c) = 0;  ///< a listener has it
  virtual void acknowledged(const copy_ptr& c) = 0;
  virtual void put_back(copy_ptr c) = 0;  ///< to be sent again
  virtual void answered(std::string_view call_id, bool old, std::string_view body) = 0;
  virtual void synced() = 0;  ///< a pong, or a change of state
};

/// On the loop.
class peer final : public std::enable_shared_from_this<peer> {
 public:
  enum class state { dialing, greeting, up };

  peer(context_ptr c, server_address where, std::string client_id, peer_events& owner);
  ~peer() { close(); }

  void start();
  const server_address& where() const noexcept { return where_; }
  bool is_up() const noexcept { return state_ == state::up; }
  /// True when it is known what it listens to, or it cannot be reached for now.
  bool is_settled(scheduler::time_point now) const noexcept;
  std::uint64_t synced() const noexcept { return synced_; }
  std::uint64_t asked() const noexcept { return asked_; }
  /// The answer brings `synced() >= n`.
  void sync(std::uint64_t n);
  const std::vector<std::unique_ptr<lane>>& lanes() const noexcept { return lanes_; }
  /// An old peer says nothing of itself: what it listens to is what it was found by.
  void add_old_lane(const service_name& name);
  /// True while something is not acknowledged, or a reply is awaited.
  bool has_work() const noexcept { return !unsettled_.empty() || awaited_.use_count() > 1; }
  /// Whoever holds it awaits a reply.
  std::shared_ptr<void> await_reply() const { return awaited_; }

  /// False: not now.
  bool send(lane& on, const copy_ptr& c, std::string body, std::string head);
  bool send_old(old_type type, std::string_view id, std::string body);
  /// The caller waits no more.
  void drop(const std::string& id);
  void beat(scheduler::time_point now);
  /// Another kind of server is there now: what it has not acknowledged is sent again elsewhere.
  void retire();
  /// Says good-bye; idempotent.
  void close();

 private:
  void open();
  void look();
  void take(frame_views in);
  void take_own(const own_message& m);
  void greeted(std::string_view head);
  void busy(const own_message& m);
  void returned(const own_message& m);
  void room(const own_message& m);
  void lost(bool said_bye = false);
  void put_all_back(bool said_bye);
  void landed(copy& c);
  copy_ptr find(std::string_view id) const;
  void settle(std::string_view id);

  const context_ptr context_;
  const server_address where_;
  const std::string client_id_;
  peer_events& owner_;
  std::unique_ptr<watched_socket> socket_;
  state state_ = state::dialing;
  scheduler::time_point since_{}, heard_{}, beaten_{};
  std::uint64_t synced_ = 0, asked_ = 0;
  std::vector<std::unique_ptr<lane>> lanes_;
  std::vector<service_name> old_names_;
  std::unordered_map<std::string, copy_ptr> unsettled_;
  const std::shared_ptr<void> awaited_ = std::make_shared<char>();
  received in_;
};

}  // namespace oslo::messaging::zmq
