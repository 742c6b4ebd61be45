// A reply that a handler gives later.
#pragma once

#include <memory>
#include <oslo/messaging/detail/responding.hpp>
#include <oslo/messaging/rpc/detail/invocation.hpp>
#include <oslo/messaging/rpc/detail/typed.hpp>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc {

/// Answers one request after its handler has returned: the last parameter of a deferred handler,
/// `void on_add(const context&, add_args, rpc::responder<int>)`.
///
/// Move-only. Exactly one reply: a second one throws `messaging_error` (`errc::invalid_argument`);
/// a responder destroyed without a reply sends a failure ("The handler dropped the request
/// without a reply."). What the handler throws before it returns is the reply, unless one was
/// given: then it is a line in the log. Until the reply the request counts as running:
/// `server::wait` waits for it, and it takes one place of the server's concurrency. The context
/// given to the handler stays valid as long.
///
/// Thread safety: one thread at a time, any thread; it may outlive server and transport.
template <class R>
class responder : public messaging::detail::responding<detail::invocation> {
 public:
  /// For the library, which makes it.
  explicit responder(std::shared_ptr<detail::invocation> call) noexcept
      : responding(std::move(call)) {}

  /// Sends the result. Throws `messaging_error` (`errc::serialization_failed`) when it cannot be
  /// written as JSON, or its codec writes something else; the request is then still unanswered.
  template <class U = R>
  requires(!std::is_void_v<R> && std::is_convertible_v<U, R>) void reply(U&& v) {
    const R converted = std::forward<U>(v);
    std::string text;
    detail::write_result(text, converted);
    take()->succeed(std::move(text));
  }
  void reply() requires std::is_void_v<R> { take()->succeed("null"); }
  using responding::fail;
  using responding::pending;
};

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
