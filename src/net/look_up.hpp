// The addresses of a name, looked up on a thread of its own.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <string>
#include <vector>

#include "net/stream.hpp"

namespace oslo::messaging::net {

/// A look-up cannot be stopped, and one that hangs would hold up all others on the one thread that
/// Asio has for them, and the end of the loop that joins it. So each has its own thread, which
/// touches nothing of the loop; who loses interest destroys this, and the thread ends when it can.
///
/// Not thread safe.
class look_up {
 public:
  using addresses = std::vector<std::string>;

  /// `done` runs on `ex`, never inside this call. Throws `message_delivery_failure` when too many
  /// look-ups hang.
  look_up(boost::asio::any_io_executor ex, const endpoint& host,
          unique_function<void(result<addresses>)> done);
  ~look_up();
  look_up(const look_up&) = delete;
  look_up& operator=(const look_up&) = delete;

 private:
  struct waiter;
  std::shared_ptr<waiter> waiter_;
};

}  // namespace oslo::messaging::net
