#include "log_queue.hpp"

namespace oslo::messaging::python {

void log_queue::push(log_level level, std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (lines_.size() >= most) {
    ++dropped_;
    return;
  }
  lines_.emplace_back(level, text);
  changed();
}

std::vector<log_queue::line> log_queue::take() {
  const std::lock_guard lock(mutex_);
  auto lines = std::exchange(lines_, {});
  if (const auto n = std::exchange(dropped_, 0); n != 0)
    lines.emplace_back(log_level::warning,
                       std::to_string(n) + " lines of the log came too fast and were dropped.");
  return lines;
}

void log_queue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed();
}

bool log_queue::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

}  // namespace oslo::messaging::python
