// Which handlers there are, and what a message says to them.
#pragma once

#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/logger.hpp>
#include <oslo/messaging/notify/endpoint.hpp>
#include <oslo/messaging/serializer.hpp>
#include <string>
#include <vector>

namespace oslo::messaging::notify {

/// Thread safety: const members from any thread.
class handler_table {
 public:
  using endpoints = std::vector<std::shared_ptr<endpoint>>;
  handler_table(endpoints all, std::shared_ptr<const serializer> s, logger log, bool batches);

  /// Those that some endpoint has a handler for, of the kind that is wanted.
  std::vector<priority> priorities() const;

  /// Reads a message; none, with a warning in the log, when its priority is unknown. Throws what
  /// the serializer throws.
  std::optional<notification> read(const incoming_message& m) const;

  /// None of them null.
  const endpoints& all() const noexcept { return endpoints_; }
  /// Null when that endpoint has none of the kind that is wanted.
  const detail::handler* handler(const endpoint& e, priority p) const noexcept {
    return batches_ ? e.batch(p) : e.single(p);
  }
  const logger& log() const noexcept { return log_; }

 private:
  endpoints endpoints_;
  std::shared_ptr<const serializer> serializer_;
  logger log_;
  bool batches_;
};

/// The text of a field, or none when it is missing or something else.
std::optional<std::string> text_of(const incoming_message& m, std::string_view key);

}  // namespace oslo::messaging::notify
