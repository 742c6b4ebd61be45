// A transport over the cluster that librdkafka plays, seen through the driver SPI.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/mock_kafka.hpp"

namespace oslo::messaging::kafka {

using namespace std::chrono_literals;

/// Longer than anything takes that works.
inline constexpr auto patience = 60s;

/// What `f` completes with, waited for.
template <class T>
class waited {
 public:
  unique_function<void(T)> setter() {
    return [p = promise_](T v) { p->set_value(std::move(v)); };
  }
  T get() {
    if (future_.wait_for(patience) != std::future_status::ready)
      throw std::runtime_error("nothing came");
    return future_.get();
  }
  bool is_there() const { return future_.wait_for(0s) == std::future_status::ready; }

 private:
  std::shared_ptr<std::promise<T>> promise_ = std::make_shared<std::promise<T>>();
  std::future<T> future_ = promise_->get_future();
};

class kafka_bus {
 public:
  /// `more`: of the query, "&name=value".
  explicit kafka_bus(const std::string& url, const std::string& more = {}, config conf = {})
      : bus(open_transport(url +
                               "?cpp_rdkafka_consumer.topic.metadata.refresh.interval.ms=300"
                               "&cpp_rdkafka_consumer.session.timeout.ms=4000"
                               "&cpp_rdkafka_consumer.heartbeat.interval.ms=300" +
                               more,
                           {.conf = std::move(conf)})) {}

  template <class F>
  auto on_loop(F f) {
    const auto task = std::make_shared<std::packaged_task<decltype(f())()>>(std::move(f));
    auto done = task->get_future();
    bus.loop().post([task] { (*task)(); });
    return done.get();
  }

  /// A notification in flight.
  waited<result<reply>> begin(const std::string& topic, const std::string& event,
                              send_options o = {}, std::vector<message_header> headers = {}) {
    waited<result<reply>> w;
    bus.driver().send_notification({.topic = topic},
                                   {R"({"event_type": ")" + event + "\"}", {}, std::move(headers)},
                                   notification_format::envelope, std::move(o), w.setter());
    return w;
  }
  result<reply> send(const std::string& topic, const std::string& event, send_options o = {}) {
    return begin(topic, event, std::move(o)).get();
  }

  std::shared_ptr<listener> subscribe(const std::string& topic, const std::string& priority,
                                      const std::string& group) {
    return on_loop([&] {
      return bus.driver().listen_for_notifications({{{.topic = topic}, priority}}, group, {});
    });
  }
  result<void> ready(listener& l) {
    waited<result<void>> w;
    on_loop([&] { l.ready(w.setter()); });
    return w.get();
  }
  /// A listener that is ready.
  std::shared_ptr<listener> listen(const std::string& topic, const std::string& priority,
                                   const std::string& group) {
    auto l = subscribe(topic, priority, group);
    ready(*l).value();
    return l;
  }
  incoming_batch pull(listener& from, std::size_t max) {
    waited<incoming_batch> w;
    on_loop([&] { from.next(max, w.setter()); });
    return w.get();
  }
  /// So many messages, however many pulls that takes.
  incoming_batch pull_all(listener& from, std::size_t count) {
    incoming_batch all;
    while (all.size() < count)
      for (auto& m : pull(from, count - all.size())) all.push_back(std::move(m));
    return all;
  }
  /// Stops it, and waits until it has left its group.
  void leave(listener& l) {
    waited<int> w;
    on_loop([&] {
      l.stop();
      l.when_gone([set = w.setter()]() mutable { set(1); });
    });
    w.get();
  }

  transport bus;
};

inline std::vector<std::string> events_of(const incoming_batch& batch) {
  std::vector<std::string> all;
  for (const auto& m : batch) {
    const auto text = m->field("event_type");
    all.emplace_back(text.substr(1, text.size() - 2));
  }
  return all;
}

}  // namespace oslo::messaging::kafka
