// One request on its way through a handler. Not part of the API.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/rpc/request_info.hpp>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc::detail {

/// What a binding says of the arguments of its method.
struct argument_rules {
  bool allow_unknown = false;
  std::vector<std::size_t> required{};  ///< which members of the handler's struct
};

/// What a handler is called with. Views are valid until the handler has returned, or as long as the
/// `invocation` they come from.
struct request {
  const context& ctxt;
  std::string_view method;
  std::string_view args;  ///< one JSON object as text
  const request_info& info;
  const argument_rules& rules;  ///< of the binding
};

/// A request whose answer may come after the handler has returned.
class invocation {
 public:
  virtual ~invocation() = default;
  virtual const request& what() const noexcept = 0;
  /// As `succeed`, but throws `messaging_error` when the text is not one JSON value: the request
  /// has not ended then.
  virtual void answer(std::string result_json) = 0;
  // Each ends the request; the first one counts. Any thread.
  virtual void succeed(std::string result_json) noexcept = 0;
  virtual void fail(std::exception_ptr error) noexcept = 0;
  /// The responder is gone. Counts once the handler has returned: one that throws says why itself.
  virtual void abandon() noexcept = 0;
  /// Runs a coroutine handler on the server's executor, and answers with its result.
  virtual void run(boost::asio::awaitable<std::string> handler) = 0;

  /// What a deferred handler got by reference, which is valid until its answer.
  std::shared_ptr<void> held{};
};

}  // namespace oslo::messaging::rpc::detail

#pragma GCC visibility pop
