// From a message to the handlers that want it.
#pragma once

#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/logger.hpp>
#include <oslo/messaging/notify/endpoint.hpp>
#include <oslo/messaging/serializer.hpp>
#include <vector>

namespace oslo::messaging::notify {

/// Thread safety: const members from any thread. Nothing throws what a handler threw.
class dispatcher {
 public:
  using endpoints = std::vector<std::shared_ptr<endpoint>>;
  dispatcher(endpoints all, std::shared_ptr<const serializer> s, logger log, bool batches);

  /// Those that some endpoint has a handler for, of the kind that is wanted.
  std::vector<priority> priorities() const;

  /// Reads a message; none, with a warning in the log, when its priority is unknown. Throws what
  /// the serializer throws.
  std::optional<notification> read(const incoming_message& m) const;
  /// Hands one message to each endpoint that wants it.
  outcome dispatch(const incoming_message& m) const;
  /// The same for many; the result says it for each of them.
  std::vector<outcome> dispatch(const incoming_batch& batch) const;

 private:
  template <class Call>
  outcome guarded(Call&& call) const;

  endpoints endpoints_;
  std::shared_ptr<const serializer> serializer_;
  logger log_;
  bool batches_;
};

}  // namespace oslo::messaging::notify
