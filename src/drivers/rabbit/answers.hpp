// The answers of a server: published, and tried again while the caller's queue is missing.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <oslo/messaging/driver.hpp>
#include <set>
#include <string>

#include "drivers/rabbit/consumer.hpp"
#include "drivers/rabbit/options.hpp"
#include "drivers/rabbit/publisher.hpp"
#include "net/asio_loop.hpp"

namespace oslo::messaging::rabbit {

/// One answer on its way.
struct outgoing_answer {
  std::string queue;
  std::string message_id;
  std::string body;
  bool awaited;                              ///< the request is acknowledged after `done`
  subscription_ptr from;                     ///< what the request came from
  unique_function<void(result<void>)> done;  ///< may be empty
};

/// A reply queue that does not exist is either not there again since the broker was restarted, or
/// will never be: its caller is gone. So the answer is tried again for
/// kombu_missing_consumer_retry_timeout; then the queue is remembered as dead for a minute and
/// later answers for it are dropped at once (spec section 4.9). A server that is stopping waits
/// only briefly.
///
/// Not thread safe; lives on the loop.
class answers : public std::enable_shared_from_this<answers> {
 public:
  answers(const options& o, const driver_environment& env, std::shared_ptr<net::asio_loop> loop,
          std::shared_ptr<publisher> out);

  void send(outgoing_answer a);
  /// Best effort: a caller whose queue is gone needs no sign of life.
  void heartbeat(std::string queue, std::string body);
  /// The transport closes: what is still being tried again is given up.
  void close();

 private:
  using clock = std::chrono::steady_clock;
  struct attempt;
  using attempt_ptr = std::shared_ptr<attempt>;

  void publish(const attempt_ptr& a);
  void returned(const attempt_ptr& a, const failure& why);
  void give_up(const attempt_ptr& a, const failure& why);
  bool is_dead(const std::string& queue);
  void remember_dead(const std::string& queue);
  void count_dropped();

  const options& options_;
  const driver_environment& env_;
  std::shared_ptr<net::asio_loop> loop_;
  std::shared_ptr<publisher> out_;
  std::set<attempt_ptr> waiting_;  ///< for their next attempt
  std::size_t retrying_ = 0;       ///< waiting, or tried again and not yet settled
  std::map<std::string, clock::time_point, std::less<>> dead_;
  bool closed_ = false;
};

}  // namespace oslo::messaging::rabbit
