// How the threads of librdkafka wake the loop.
#pragma once

#include <librdkafka/rdkafka.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <oslo/messaging/function.hpp>

namespace oslo::messaging::kafka {

/// Events that are taken in one turn of the loop: others want it, too. One of a producer may bring
/// thousands of reports.
inline constexpr int events_a_turn = 50;

/// One descriptor for any number of queues. librdkafka writes to it when a queue was empty and is
/// not any more; nothing else of ours runs on its threads. Whoever takes from a queue and stops
/// before it is empty looks again of itself.
///
/// On the loop.
class event_fd {
 public:
  explicit event_fd(const boost::asio::any_io_executor& loop);
  /// Precondition: every queue was detached.
  ~event_fd() { close(); }
  event_fd(const event_fd&) = delete;
  event_fd& operator=(const event_fd&) = delete;

  /// What is in the queue already wakes nobody.
  void attach(rd_kafka_queue_t* queue);
  static void detach(rd_kafka_queue_t* queue);
  /// Calls `look` on the loop after each wake-up, until `close`. It may close or destroy this.
  void start(unique_function<void()> look);
  void close() noexcept;

 private:
  struct state {
    explicit state(const boost::asio::any_io_executor& loop, int fd) : fd(loop, fd) {}
    boost::asio::posix::stream_descriptor fd;
    unique_function<void()> look{};
  };
  static void wait(const std::shared_ptr<state>& s);

  std::shared_ptr<state> state_;
};

}  // namespace oslo::messaging::kafka
