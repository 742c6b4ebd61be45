// A listener: one member of a consumer group.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <set>
#include <string>
#include <vector>

#include "drivers/kafka/client_state.hpp"
#include "drivers/kafka/context.hpp"
#include "drivers/kafka/event_fd.hpp"
#include "drivers/kafka/handles.hpp"
#include "drivers/kafka/message.hpp"
#include "drivers/kafka/offset_ledger.hpp"

namespace oslo::messaging::kafka {

class engine;

/// Takes messages out of librdkafka when somebody pulls, and commits offsets once the messages are
/// acknowledged (`offset_ledger`). librdkafka itself holds what it has fetched ahead.
///
/// - Requeue: the message stays here, and is handed out again before all others. Its offset is not
///   committed until it is settled.
/// - Rebalance: before partitions are given away, what is in work on them gets a moment to end, and
///   what was acknowledged is committed. The rest comes again, to whoever has them next.
/// - Topics that do not exist are waited for. When none of them exists, it is ready.
///
/// The engine keeps it until it is gone; messages in work and, by way of a handle, the listener's
/// owner share it. On the loop.
class subscription final : public listener, public std::enable_shared_from_this<subscription> {
 public:
  /// `topics` are names on the bus.
  subscription(context_ptr c, std::weak_ptr<engine> owner, std::vector<std::string> topics,
               std::string group, std::size_t prefetch);
  ~subscription() override;
  void begin();  ///< once, right after construction

  /// For the owner: stops it when the last copy is destroyed, on any thread.
  std::shared_ptr<listener> handle();

  void next(std::size_t max, unique_function<void(incoming_batch)> done) override;
  void stop() override;
  void ready(unique_function<void(result<void>)> done) override;
  void when_gone(unique_function<void()> done) override;
  bool consuming() const noexcept override { return consuming_.load(); }
  void watch(unique_function<void()> changed) override { changed_ = std::move(changed); }

  /// A handed-out message is done with, or comes again.
  void settle(const std::shared_ptr<content>& what, bool acknowledged);
  /// Stops it, and leaves the group whatever is still in work. `done` may be called at once.
  void shut(unique_function<void()> done);
  /// Lets go of librdkafka now.
  void end();

  bool is_gone() const noexcept { return gone_; }
  const client_state& state() const noexcept { return state_; }
  scheduler& loop() const noexcept { return *context_->loop; }

 private:
  struct partition : partition_work {
    /// Set until its position is known: only then `latest` means that what is sent arrives.
    queue_handle unsure{};
  };
  struct revocation {
    partition_list_handle list;
    bool lost = false;
    scheduler::timer_id timer = scheduler::timer_id::none;
    bool committed = false;
  };

  // subscription.cpp: the listener
  void refuse(const failure& why);
  void answer_ready(const result<void>& r);
  void check_ready();
  void set_consuming();
  void serve();
  void take(incoming_batch& batch);
  std::shared_ptr<content> read(const rd_kafka_message_t& m);
  void hand_out(incoming_batch& batch, std::shared_ptr<content> what);
  void leave_when_settled();
  void leave();

  // subscription_group.cpp: librdkafka and the group
  result<void> connect();
  void look();
  void on_event(rd_kafka_event_t& e);
  void on_error(rd_kafka_event_t& e);
  void on_partition_error(const rd_kafka_message_t& m);
  void on_assign(const rd_kafka_topic_partition_list_t& list);
  void on_revoke(const rd_kafka_topic_partition_list_t& list);
  void proceed_with_revocation();
  void finish_revocation();
  void look_at_unsure();
  bool is_revoked(const partition_name& p) const;
  void commit_later();
  bool commit();
  void on_committed(rd_kafka_event_t& e);
  void close_consumer();
  void keep_membership();
  void alive();
  void health_changed();

  const context_ptr context_;
  const std::weak_ptr<engine> engine_;
  const std::vector<std::string> topics_;
  const std::string group_;
  const std::size_t prefetch_;

  client_handle client_;
  queue_handle events_;    ///< rebalances, commits, errors
  queue_handle messages_;  ///< of all partitions
  std::unique_ptr<event_fd> wake_;
  client_state state_;

  offset_ledger ledger_;
  std::map<partition_name, std::shared_ptr<partition>> partitions_;
  std::optional<revocation> revoking_;
  std::set<std::string> missing_;  ///< topics that do not exist
  bool assigned_ = false;
  bool told_full_ = false;

  std::deque<std::shared_ptr<content>> arrived_;  ///< not handed out, or not any more
  std::size_t handed_out_ = 0;
  std::size_t want_ = 0;
  unique_function<void(incoming_batch)> waiting_;
  bool serving_ = false;

  bool committing_ = false;
  scheduler::timer_id commit_timer_ = scheduler::timer_id::none;
  scheduler::timer_id keep_timer_ = scheduler::timer_id::none;
  scheduler::timer_id leave_timer_ = scheduler::timer_id::none;

  std::vector<unique_function<void(result<void>)>> ready_waiters_;
  std::vector<unique_function<void()>> gone_waiters_;
  unique_function<void()> changed_;
  std::optional<failure> refused_;
  std::atomic<bool> consuming_{false};
  bool ready_ = false;
  bool stopped_ = false;
  bool forced_ = false;   ///< does not wait for what is in work
  bool leaving_ = false;  ///< nothing is handed out, nothing is settled any more
  bool closing_ = false;  ///< librdkafka leaves the group
  bool gone_ = false;
};

}  // namespace oslo::messaging::kafka
