// Synchronous face of the RPC client, for programs without an event loop.
#pragma once

#include <oslo/messaging/context.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/rpc/client.hpp>
#include <oslo/messaging/rpc/method.hpp>
#include <oslo/messaging/value.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::blocking {

/// Calls and casts that return when they are done. Same errors as `rpc::client`; in addition a call
/// made on the transport's loop (in a completion, or in a handler under the inline executor) fails
/// at once with `errc::would_deadlock`. Where the loop is one of the application, so does one on
/// the only thread that runs it, after two seconds without another thread that moves it.
///
/// On a fiber of `fiber_executor` a call suspends the fiber and not its thread.
///
/// When the loop belongs to the application and does not run, nothing can complete: a call, or a
/// cast with a timeout, then ends with `errc::timed_out` soon after that.
///
/// A call or cast whose `cancel` is stopped by another thread ends with `errc::cancelled`; the
/// handler may still run.
///
/// Copies are cheap and share the transport, which they keep open.
/// Thread safety: const members may be called from any thread, at once from several.
class client {
 public:
  /// The blocking face of `c`.
  explicit client(rpc::client c) noexcept : async_(std::move(c)) {}
  /// As the constructor of `rpc::client`, which says what it throws.
  client(transport bus, target to, rpc::client_options o = {})
      : async_(std::move(bus), std::move(to), std::move(o)) {}

  /// A client with some values changed; see `rpc::client::prepare`.
  client prepare(const rpc::prepare_options& changes) const {
    return client(async_.prepare(changes));
  }
  /// The client behind it.
  const rpc::client& async() const noexcept { return async_; }

  /// Calls a method and returns its result.
  template <class R, class A>
  R call(const rpc::method<R(A)>& m, context ctxt, std::type_identity_t<A> args,
         std::stop_token cancel = {}) const {
    return try_call(m, std::move(ctxt), std::move(args), std::move(cancel)).value();
  }
  template <class R>
  R call(const rpc::method<R()>& m, context ctxt, std::stop_token cancel = {}) const {
    return try_call(m, std::move(ctxt), std::move(cancel)).value();
  }
  value call(std::string_view name, context ctxt, value args = object(),
             std::stop_token cancel = {}) const {
    return try_call(name, std::move(ctxt), std::move(args), std::move(cancel)).value();
  }

  /// As `call`, with errors as values.
  template <class R, class A>
  result<R> try_call(const rpc::method<R(A)>& m, context ctxt, std::type_identity_t<A> args,
                     std::stop_token cancel = {}) const {
    return decode<R>(
        call_text(m.name(), m.since(), std::move(ctxt), try_to_json(args), std::move(cancel)));
  }
  template <class R>
  result<R> try_call(const rpc::method<R()>& m, context ctxt, std::stop_token cancel = {}) const {
    return decode<R>(
        call_text(m.name(), m.since(), std::move(ctxt), std::string("{}"), std::move(cancel)));
  }
  result<value> try_call(std::string_view name, context ctxt, value args = object(),
                         std::stop_token cancel = {}) const {
    return decode<value>(
        call_text(name, {}, std::move(ctxt), try_to_json(args), std::move(cancel)));
  }

  /// Sends without waiting for an answer; returns once the bus took responsibility.
  template <class R, class A>
  void cast(const rpc::method<R(A)>& m, context ctxt, std::type_identity_t<A> args,
            std::stop_token cancel = {}) const {
    try_cast(m, std::move(ctxt), std::move(args), std::move(cancel)).value();
  }
  template <class R>
  void cast(const rpc::method<R()>& m, context ctxt, std::stop_token cancel = {}) const {
    try_cast(m, std::move(ctxt), std::move(cancel)).value();
  }
  void cast(std::string_view name, context ctxt, value args = object(),
            std::stop_token cancel = {}) const {
    try_cast(name, std::move(ctxt), std::move(args), std::move(cancel)).value();
  }

  /// As `cast`, with errors as values.
  template <class R, class A>
  result<void> try_cast(const rpc::method<R(A)>& m, context ctxt, std::type_identity_t<A> args,
                        std::stop_token cancel = {}) const {
    return cast_text(m.name(), m.since(), std::move(ctxt), try_to_json(args), std::move(cancel));
  }
  template <class R>
  result<void> try_cast(const rpc::method<R()>& m, context ctxt,
                        std::stop_token cancel = {}) const {
    return cast_text(m.name(), m.since(), std::move(ctxt), std::string("{}"), std::move(cancel));
  }
  result<void> try_cast(std::string_view name, context ctxt, value args = object(),
                        std::stop_token cancel = {}) const {
    return cast_text(name, {}, std::move(ctxt), try_to_json(args), std::move(cancel));
  }

 private:
  using text = result<std::string>;
  text call_text(std::string_view name, std::optional<rpc::method_version> since, context ctxt,
                 text args, std::stop_token cancel) const;
  result<void> cast_text(std::string_view name, std::optional<rpc::method_version> since,
                         context ctxt, text args, std::stop_token cancel) const;
  template <class R>
  static result<R> decode(text reply) {
    if (!reply) return reply.error();
    return rpc::detail::try_result<R>(*reply);
  }

  rpc::client async_;
};

}  // namespace oslo::messaging::blocking

#pragma GCC visibility pop
