// What the kafka driver does, on its loop: one producer, and a consumer for each listener.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <oslo/messaging/driver.hpp>
#include <string>
#include <utility>
#include <vector>

#include "drivers/kafka/context.hpp"
#include "drivers/kafka/producer.hpp"

namespace oslo::messaging::kafka {

class subscription;

/// Everything runs on the loop unless a comment says otherwise.
class engine final : public std::enable_shared_from_this<engine> {
 public:
  explicit engine(context_ptr c) noexcept : context_(std::move(c)) {}
  void start();  ///< once, right after construction

  void send(std::string topic, std::string body, std::vector<message_header> headers,
            send_options o, send_completion done);
  std::shared_ptr<subscription> listen(std::vector<std::string> topics, std::string group,
                                       std::size_t prefetch);
  /// Gives what is under way `limit` to end: delivery reports, last commits, leaving the groups.
  void close(std::chrono::milliseconds limit, unique_function<void()> done);
  void watch_health(unique_function<void(const transport_health&)> changed);
  void health_changed();
  /// It needs nothing any more.
  void forget(const subscription& s);

  const shared_context& context() const noexcept { return *context_; }  ///< any thread
  transport_health health() const;                                      ///< any thread

 private:
  transport_health look_at_health();
  void finish_close();

  const context_ptr context_;
  std::shared_ptr<kafka::producer> producer_;
  std::vector<std::shared_ptr<subscription>> subscriptions_;  ///< until they are gone

  bool gone_ = false;
  std::size_t closing_ = 0;  ///< what the end waits for
  scheduler::timer_id close_timer_ = scheduler::timer_id::none;
  std::vector<unique_function<void()>> closers_;

  unique_function<void(const transport_health&)> changed_;
  mutable std::mutex mutex_;
  transport_health now_;  ///< guarded by it
};

}  // namespace oslo::messaging::kafka
