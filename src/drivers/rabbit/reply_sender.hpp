// The replies of a server, and the reply queues that nobody comes back to.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <oslo/messaging/driver.hpp>
#include <string>

#include "drivers/rabbit/pending_send.hpp"

namespace oslo::messaging::rabbit {

class engine;

/// One reply on its way.
struct pending_reply {
  std::string queue;
  std::string message_id;
  bool message_id_is_text;  ///< else JSON of another type
  std::string body;
  bool awaited;                                  ///< the request is acknowledged after `done`
  std::shared_ptr<const consumer_channel> from;  ///< what the request came from
  unique_function<void(result<void>)> done;      ///< may be empty
};

/// A reply queue that does not exist is either not there again since the broker was restarted, or
/// will never be: its caller is gone. So the reply is tried again for
/// kombu_missing_consumer_retry_timeout; then the queue is remembered as dead for a minute and
/// later replies for it are dropped at once (docs/wire/rabbitmq.md, RMQ-22). A server that is
/// stopping waits only briefly. A reply that the broker will not take is replaced by one that
/// says so.
///
/// Not thread safe; lives on the loop.
class reply_sender : public std::enable_shared_from_this<reply_sender> {
 public:
  explicit reply_sender(engine& owner) : owner_(owner) {}

  void send(pending_reply a);
  /// Best effort, and sent once: a caller whose queue is gone needs no sign of life. `done` may be
  /// empty.
  void heartbeat(std::string queue, std::string body,
                 unique_function<void(result<void>)> done = {});

 private:
  using clock = std::chrono::steady_clock;

  send_ptr make(std::string queue, std::string body) const;
  void sent(pending_reply& a, clock::time_point since, result<void> r);
  void replace(pending_reply& a, const failure& why);
  bool is_dead(const std::string& queue);
  void remember_dead(const std::string& queue);

  engine& owner_;  // owns this
  std::map<std::string, clock::time_point, std::less<>> dead_;
};

}  // namespace oslo::messaging::rabbit
