// All that a transport sends: where its servers are, what waits for them, what is not answered.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <oslo/messaging/driver.hpp>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "drivers/zmq/context.hpp"
#include "drivers/zmq/matchmaker.hpp"
#include "drivers/zmq/peer.hpp"
#include "protocol/call_tracker.hpp"

namespace oslo::messaging::zmq {

/// On the loop.
class client final : public std::enable_shared_from_this<client>, private peer_events {
 public:
  static constexpr std::size_t most_messages = 200'000;
  static constexpr std::size_t most_bytes = std::size_t{256} << 20;
  static constexpr std::size_t most_peers = 4'096;

  client(context_ptr c, matchmaker& who);

  void send(subscription::service of, target to, outgoing_message m, notification_format f,
            send_options o, send_completion done);
  /// Completes what waits with `errc::closed`, says good-bye and closes all sockets. Idempotent.
  void close();

 private:
  struct post_cancel {
    std::weak_ptr<client> owner;
    protocol::call_id id;
    void operator()() const;
  };
  struct pending {
    send_completion done;
    bool is_call = false;
    bool begun = false;      ///< a server has said that it has it
    std::size_t copies = 0;  ///< of a message without a reply: not taken yet
    std::string destination;
    std::shared_ptr<route> to;  ///< of a call or cast
    std::uint64_t order = 0;
    std::shared_ptr<void> at;  ///< keeps the peer that may answer
    std::weak_ptr<copy> last;  ///< of a call: where it is
    std::unique_ptr<std::stop_callback<post_cancel>> on_cancel;
  };
  /// What waits until it is known who listens.
  struct question {
    std::uint64_t look_up = 0;  ///< the number of a look-up that is new enough
    std::uint64_t sync = 0;     ///< asked of all peers; 0: not yet
    unique_function<void()> answer;
  };
  /// Servers by one name, as the matchmaker knows them.
  struct view {
    service_name name;
    addresses found;
    std::uint64_t begun = 0, ended = 0;  ///< look-ups
    scheduler::time_point looked{}, used{};
    bool known = false;
    std::deque<question> questions;
  };

  // peer_events
  void lanes_changed() override;
  void room_found() override { pump_soon(); }
  void taken(const copy_ptr& c) override;
  void acknowledged(const copy_ptr& c) override;
  void put_back(copy_ptr c) override;
  void answered(std::string_view call_id, bool old, std::string_view body) override;
  void synced() override;

  // Where servers are.
  view& view_of(const std::string& topic, const std::string& server);
  void look_up(view& v);
  void found(const std::string& key, std::uint64_t number, result<addresses> r);
  void ask(view& v, bool afresh, unique_function<void()> answer);
  void answer_questions();
  bool is_answered(view& v, question& q);

  // What goes out.
  std::shared_ptr<route> route_to(route r);
  void enqueue(std::shared_ptr<route> to, std::shared_ptr<content> what, const std::string& pending,
               std::optional<scheduler::time_point> deadline, std::uint64_t order);
  void ask_for_one(std::shared_ptr<route> r, std::shared_ptr<content> what, std::string key,
                   std::optional<scheduler::time_point> deadline, std::uint64_t order, bool again);
  void spread(subscription::service of, const std::string& exchange, const std::string& topic,
              std::shared_ptr<content> what, const std::string& pending,
              std::optional<scheduler::time_point> deadline);
  void pump_soon();
  void pump();
  void pump(route& r);
  bool send_copy(lane& on, const copy_ptr& c);
  void refresh_candidates(route& r);
  bool still_wanted(const copy& c);
  void forget(const copy& c);
  void finish_copy(const std::string& pending);
  void end(pending&& p, result<reply> r);
  failure late(protocol::call_tracker<pending>::expired_call& call);

  void tick();
  void arm();
  void expire();

  const context_ptr context_;
  matchmaker& matchmaker_;
  const std::string id_, reply_q_;
  std::map<std::string, std::shared_ptr<peer>> peers_;
  std::map<std::string, view> views_;
  std::map<std::string, std::weak_ptr<route>> routes_;
  std::set<std::shared_ptr<route>> busy_routes_;  // those where something waits
  protocol::call_tracker<pending> pending_;
  std::uint64_t world_ = 1, orders_ = 0, look_ups_ = 0, syncs_ = 0;
  std::size_t messages_ = 0, bytes_ = 0;
  bool pump_posted_ = false, closed_ = false;
  scheduler::timer_id tick_ = scheduler::timer_id::none, timer_ = scheduler::timer_id::none;
  scheduler::time_point armed_ = scheduler::time_point::max();
};

}  // namespace oslo::messaging::zmq
