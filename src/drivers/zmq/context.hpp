// What all parts of one transport have in common.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <oslo/messaging/driver.hpp>
#include <string_view>
#include <zmq.hpp>

#include "drivers/zmq/options.hpp"
#include "net/asio_loop.hpp"

namespace oslo::messaging::zmq {

/// Read-only or thread safe: any thread. The context of libzmq ends last, and waits for what its
/// closed sockets still send, `opts.linger` at most.
struct shared_context {
  const options opts;
  const driver_environment env;
  const std::shared_ptr<net::asio_loop> loop;
  ::zmq::context_t sockets{1};
  std::atomic<std::size_t> crossing_bytes{0};  ///< handed to the loop, not yet begun

  void log(log_level level, std::string_view text) const { env.log(level, text); }
  std::string exchange_of(const target& t) const {
    return t.exchange ? *t.exchange : env.default_exchange;
  }
};
using context_ptr = std::shared_ptr<shared_context>;

/// Bounds of docs/architecture.md.
inline constexpr std::int64_t largest_message = std::int64_t{128} << 20;
inline constexpr std::size_t most_frames = 8;

}  // namespace oslo::messaging::zmq
