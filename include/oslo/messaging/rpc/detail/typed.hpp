// Between C++ types and JSON text, for arguments and results. Not part of the API.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <oslo/messaging/convert.hpp>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc::detail {

/// Arguments of type `A`, passed as `B&&`: a temporary unless B is an lvalue reference.
template <class A, class B>
constexpr void refuse_broken_temporary() {
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 12
  static_assert(
      std::is_lvalue_reference_v<B> || std::is_trivially_copyable_v<A> || !std::is_aggregate_v<A>,
      "GCC 12 destroys such a temporary twice inside a co_await expression: give the "
      "arguments a name first, and pass that");
#endif
}

/// A result as a peer gets it: an optional member without a value is null.
template <class R>
void write_result(std::string& out, const R& v) {
  messaging::detail::write_checked<messaging::detail::empties::null>(out, v);
}

/// The result of a reply. That of a `void` method is not looked at.
template <class R>
result<R> try_result(std::string_view text) {
  if constexpr (std::is_void_v<R>)
    return {};
  else
    return try_from_json<R>(text, "result");
}

/// Waits for a reply and reads it.
template <class R, class Reply>
boost::asio::awaitable<R> get_result(boost::asio::awaitable<result<Reply>> pending) {
  auto reply = co_await std::move(pending);
  if (!reply) throw_failure(reply.error());
  if constexpr (!std::is_void_v<R>) co_return from_json<R>(*reply, "result");
}

template <class R, class Reply>
boost::asio::awaitable<result<R>> try_get_result(boost::asio::awaitable<result<Reply>> pending) {
  auto reply = co_await std::move(pending);
  if (!reply) co_return reply.error();
  if constexpr (std::is_void_v<R>)
    co_return result<R>{};
  else
    co_return try_result<R>(*reply);
}

}  // namespace oslo::messaging::rpc::detail

#pragma GCC visibility pop
