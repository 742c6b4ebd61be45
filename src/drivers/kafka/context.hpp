// What all parts of one transport have in common.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <oslo/messaging/driver.hpp>
#include <string_view>

#include "drivers/kafka/options.hpp"
#include "net/asio_loop.hpp"

namespace oslo::messaging::kafka {

/// Read-only or thread safe: any thread.
struct shared_context {
  const options opts;
  const driver_environment env;
  const std::shared_ptr<net::asio_loop> loop;
  std::atomic<std::size_t> crossing_bytes{0};  ///< handed to the loop, not yet begun
  std::atomic<bool> closed{false};

  void log(log_level level, std::string_view text) const { env.log(level, text); }
  void count(std::string_view name) const {
    if (env.meter) env.meter->add(name, {}, 1);
  }
};
using context_ptr = std::shared_ptr<shared_context>;

}  // namespace oslo::messaging::kafka
