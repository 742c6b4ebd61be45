// A reply that a handler gives later.
#pragma once

#include <exception>
#include <memory>
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
class responder {
 public:
  /// For the library, which makes it.
  explicit responder(std::shared_ptr<detail::invocation> call) noexcept : call_(std::move(call)) {}
  responder(responder&&) noexcept = default;
  responder& operator=(responder&& other) noexcept {
    if (this != &other) {
      abandon();
      call_ = std::move(other.call_);
    }
    return *this;
  }
  ~responder() { abandon(); }

  /// Sends the result. Throws `messaging_error` (`errc::serialization_failed`) when it cannot be
  /// written as JSON; the request is then still unanswered.
  template <class U = R>
  requires(!std::is_void_v<R> && std::is_convertible_v<U, R>) void reply(U&& v) {
    const R converted = std::forward<U>(v);
    std::string text;
    detail::write_result(text, converted);
    detail::take_call(call_)->succeed(std::move(text));
  }
  void reply() requires std::is_void_v<R> { detail::take_call(call_)->succeed("null"); }
  /// Sends a failure, mapped as if the handler had thrown it.
  void fail(std::exception_ptr error) { detail::take_call(call_)->fail(std::move(error)); }
  template <class E>
  requires std::is_base_of_v<std::exception, std::decay_t<E>>
  void fail(E&& error) { fail(std::make_exception_ptr(std::forward<E>(error))); }
  /// True until the answer is given.
  bool pending() const noexcept { return call_ != nullptr; }

 private:
  void abandon() noexcept {
    if (call_) std::exchange(call_, nullptr)->abandon();
  }
  std::shared_ptr<detail::invocation> call_;
};

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
