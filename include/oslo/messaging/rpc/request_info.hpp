// What a handler can know of the request that it works on.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc {

/// One request, seen by its handler: a parameter of type `const request_info&`. Valid until the
/// handler returns, its coroutine ends, or its responder has answered.
///
/// Thread safety: all members may be called from any thread.
class request_info {
 public:
  /// The clock of deadlines.
  using clock = std::chrono::steady_clock;

  /// When the caller stops waiting, on this process's clock; none for a cast, and for a caller that
  /// gave no limit. Callers of this library tell it in the message; of a Python caller, and for the
  /// first request of any, it is the arrival plus the limit, so that time in the queue does not
  /// count.
  virtual std::optional<clock::time_point> deadline() const noexcept = 0;
  /// What is left until then, zero when it is over.
  virtual std::optional<std::chrono::milliseconds> remaining() const noexcept = 0;
  /// Stop is requested when the deadline passes, or when `server::drain` has run out of time: the
  /// answer is not wanted any more. Callbacks run on the transport's loop and must not block. Costs
  /// a timer from the first use on, and nothing where it is not used.
  virtual std::stop_token cancellation() const = 0;
  /// True when the sender waits for an answer: a call, not a cast.
  virtual bool is_call() const noexcept = 0;
  /// True when the bus has delivered the message before: the work may have been done already.
  virtual bool redelivered() const noexcept = 0;

 protected:
  ~request_info() = default;
};

/// When a request is acknowledged, that is: when the bus forgets it.
enum class acknowledge_when : unsigned char {
  /// Right before the handler runs, as oslo does: at most once. A process that dies in the middle
  /// of its work takes the request with it.
  before_handler,
  /// When the handler has succeeded (a call: once the bus has the answer): at least once. What a
  /// dying process was working on goes to another server, or to the same one again. A cast whose
  /// handler throws is given back, unless the bus says that it was delivered before: then it is
  /// dropped with an error line. A
  /// call whose handler throws is finished: the error is its answer. Copies of a request that is
  /// still being worked on are not started a second time in one server.
  after_success,
};

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
