// Calls and casts with any completion token of Boost.Asio: futures, callbacks, deferred,
// coroutines.
#pragma once

#include <oslo/messaging/context.hpp>
#include <oslo/messaging/rpc/client.hpp>
#include <oslo/messaging/rpc/detail/completion.hpp>
#include <oslo/messaging/rpc/method.hpp>
#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc {

/// \defgroup async Calls and casts with completion tokens
///
/// The last argument of each is a completion token; what they return is what the token makes of it:
///
///     std::future<int> sum = rpc::async_call(client, add, ctxt, {1, 2}, asio::use_future);
///     rpc::async_call(client, add, ctxt, {1, 2}, [](std::exception_ptr e, int sum) { … });
///
/// The completion runs on the executor that is associated with the handler
/// (`asio::bind_executor`); without one on the transport's loop, which it must not block, and where
/// what it throws is an error line in the log. It never runs before the function has returned, and
/// never when the context of its executor has ended first: then it is destroyed with the context,
/// as Asio's own operations are. A cancellation slot that is associated with the handler
/// (`asio::bind_cancellation_slot`) ends the wait with `errc::cancelled`, as for `client::call`.
/// Errors are those of `client`. Arguments are turned into text before the function returns, so
/// nothing they refer to has to live longer, also when the token starts the call later
/// (`asio::deferred`).
///
/// In a coroutine `client::call` is shorter; what it says about GCC 12 holds here, too.
///
/// Thread safety: any thread.
/// \{

/// Completes with `void(std::exception_ptr, R)`, or `void(std::exception_ptr)` for a method without
/// a result. `R` must have a default constructor.
template <class R, class A, class Token>
auto async_call(const client& c, const method<R(A)>& m, context ctxt,
                const std::type_identity_t<A>& args, Token&& token) {
  using deliver = detail::deliver_value<R>;
  return detail::initiate<true, deliver, typename deliver::signature>(
      detail::prepare(c, m, std::move(ctxt), args), std::forward<Token>(token));
}
template <class R, class Token>
auto async_call(const client& c, const method<R()>& m, context ctxt, Token&& token) {
  using deliver = detail::deliver_value<R>;
  return detail::initiate<true, deliver, typename deliver::signature>(
      detail::prepare(c, m, std::move(ctxt)), std::forward<Token>(token));
}
template <class Token>
auto async_call(const client& c, std::string_view name, context ctxt, const value& args,
                Token&& token) {
  using deliver = detail::deliver_value<value>;
  return detail::initiate<true, deliver, deliver::signature>(
      detail::prepare(c, name, std::move(ctxt), args), std::forward<Token>(token));
}

/// As `async_call`, but completes with `void(result<R>)`: errors as values.
template <class R, class A, class Token>
auto async_try_call(const client& c, const method<R(A)>& m, context ctxt,
                    const std::type_identity_t<A>& args, Token&& token) {
  using deliver = detail::deliver_result<R>;
  return detail::initiate<true, deliver, typename deliver::signature>(
      detail::prepare(c, m, std::move(ctxt), args), std::forward<Token>(token));
}
template <class R, class Token>
auto async_try_call(const client& c, const method<R()>& m, context ctxt, Token&& token) {
  using deliver = detail::deliver_result<R>;
  return detail::initiate<true, deliver, typename deliver::signature>(
      detail::prepare(c, m, std::move(ctxt)), std::forward<Token>(token));
}
template <class Token>
auto async_try_call(const client& c, std::string_view name, context ctxt, const value& args,
                    Token&& token) {
  using deliver = detail::deliver_result<value>;
  return detail::initiate<true, deliver, deliver::signature>(
      detail::prepare(c, name, std::move(ctxt), args), std::forward<Token>(token));
}

/// Sends without waiting for an answer; completes with `void(std::exception_ptr)` once the bus took
/// responsibility.
template <class R, class A, class Token>
auto async_cast(const client& c, const method<R(A)>& m, context ctxt,
                const std::type_identity_t<A>& args, Token&& token) {
  using deliver = detail::deliver_value<void>;
  return detail::initiate<false, deliver, deliver::signature>(
      detail::prepare(c, m, std::move(ctxt), args), std::forward<Token>(token));
}
template <class R, class Token>
auto async_cast(const client& c, const method<R()>& m, context ctxt, Token&& token) {
  using deliver = detail::deliver_value<void>;
  return detail::initiate<false, deliver, deliver::signature>(
      detail::prepare(c, m, std::move(ctxt)), std::forward<Token>(token));
}
template <class Token>
auto async_cast(const client& c, std::string_view name, context ctxt, const value& args,
                Token&& token) {
  using deliver = detail::deliver_value<void>;
  return detail::initiate<false, deliver, deliver::signature>(
      detail::prepare(c, name, std::move(ctxt), args), std::forward<Token>(token));
}

/// As `async_cast`, but completes with `void(result<void>)`: errors as values.
template <class R, class A, class Token>
auto async_try_cast(const client& c, const method<R(A)>& m, context ctxt,
                    const std::type_identity_t<A>& args, Token&& token) {
  using deliver = detail::deliver_result<void>;
  return detail::initiate<false, deliver, deliver::signature>(
      detail::prepare(c, m, std::move(ctxt), args), std::forward<Token>(token));
}
template <class R, class Token>
auto async_try_cast(const client& c, const method<R()>& m, context ctxt, Token&& token) {
  using deliver = detail::deliver_result<void>;
  return detail::initiate<false, deliver, deliver::signature>(
      detail::prepare(c, m, std::move(ctxt)), std::forward<Token>(token));
}
template <class Token>
auto async_try_cast(const client& c, std::string_view name, context ctxt, const value& args,
                    Token&& token) {
  using deliver = detail::deliver_result<void>;
  return detail::initiate<false, deliver, deliver::signature>(
      detail::prepare(c, name, std::move(ctxt), args), std::forward<Token>(token));
}

/// \}

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
