// Lines of the library's log on their way to a Python thread, which gives them to `logging`.
#pragma once

#include <cstddef>
#include <memory>
#include <oslo/messaging/logger.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "waitable.hpp"

namespace oslo::messaging::python {

/// Bounded: beyond that the newest lines are dropped, and counted.
class log_queue final : public waitable, public std::enable_shared_from_this<log_queue> {
 public:
  static constexpr std::size_t most = 1'000;
  using line = std::pair<log_level, std::string>;

  /// Any thread.
  void push(log_level level, std::string_view text);
  /// What waits; empty after `close`.
  std::vector<line> take();
  /// Ends the wait of whoever takes.
  void close();
  bool closed() const;

 private:
  bool ready() const override { return !lines_.empty() || closed_; }

  std::vector<line> lines_;
  std::size_t dropped_ = 0;
  bool closed_ = false;
};

}  // namespace oslo::messaging::python
