// From the client's callbacks to whatever an Asio completion token makes of them. Not part of the
// API.
#pragma once

#include <boost/asio/async_result.hpp>
#include <exception>
#include <oslo/messaging/detail/to_caller.hpp>
#include <oslo/messaging/rpc/client.hpp>
#include <oslo/messaging/rpc/detail/typed.hpp>
#include <oslo/messaging/rpc/method.hpp>
#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc::detail {

// ---- how an outcome is delivered ----------------------------------------------------------------

/// void(result<R>)
template <class R>
struct deliver_result {
  using signature = void(result<R>);
  template <class Handler, class Reply>
  void operator()(Handler handler, result<Reply> r) const {
    if (!r)
      std::move(handler)(result<R>(r.error()));
    else if constexpr (std::is_void_v<R>)
      std::move(handler)(result<R>());
    else
      std::move(handler)(try_result<R>(*r));
  }
};

inline std::exception_ptr thrown_by(const failure& f) {
  try {
    throw_failure(f);
  } catch (...) {
    return std::current_exception();
  }
}

/// void(std::exception_ptr, R), which is what makes futures and coroutines throw.
template <class R>
struct deliver_value {
  static_assert(std::is_default_constructible_v<R>,
                "a failed call has no result to give: use async_try_call for this type");
  using signature = void(std::exception_ptr, R);
  template <class Handler>
  void operator()(Handler handler, result<std::string> r) const {
    result<R> v = r ? try_result<R>(*r) : result<R>(r.error());
    if (v)
      std::move(handler)(std::exception_ptr(), *std::move(v));
    else
      std::move(handler)(thrown_by(v.error()), R());
  }
};
template <>
struct deliver_value<void> {
  using signature = void(std::exception_ptr);
  template <class Handler, class Reply>
  void operator()(Handler handler, result<Reply> r) const {
    std::move(handler)(r ? std::exception_ptr() : thrown_by(r.error()));
  }
};

// ---- initiations --------------------------------------------------------------------------------

/// What an initiation keeps until it runs, which a lazy token may do later or never.
struct prepared_call {
  client from;
  std::string method;
  std::optional<method_version> since;
  context ctxt;
  result<std::string> args;
};

template <class R, class A>
prepared_call prepare(const client& c, const method<R(A)>& m, context&& ctxt, const A& args) {
  return {c, std::string(m.name()), m.since(), std::move(ctxt), try_to_json(args)};
}
template <class R>
prepared_call prepare(const client& c, const method<R()>& m, context&& ctxt) {
  return {c, std::string(m.name()), m.since(), std::move(ctxt), std::string("{}")};
}
inline prepared_call prepare(const client& c, std::string_view name, context&& ctxt,
                             const value& args) {
  return {c, std::string(name), {}, std::move(ctxt), try_to_json(args)};
}

/// `is_call`: with a reply.
template <bool is_call, class Deliver, class Signature, class Token>
auto initiate(prepared_call&& call, Token&& token) {
  return boost::asio::async_initiate<Token, Signature>(
      [](auto handler, prepared_call c) {
        auto cancel = messaging::detail::cancellation_of(handler);
        using reply = std::conditional_t<is_call, result<std::string>, result<void>>;
        const auto unable = cannot_start(c.from);
        messaging::detail::to_caller<decltype(handler), reply, Deliver> done(std::move(handler),
                                                                             unable.has_value());
        if (unable)
          done(c.args ? *unable : c.args.error());
        else if (!c.args)
          c.from.bus().loop().post(
              [done = std::move(done), why = c.args.error()]() mutable { done(std::move(why)); });
        else if constexpr (is_call)
          detail::start_call(c.from, c.method, std::move(c.ctxt), *c.args,
                             {c.since, std::move(cancel)}, std::move(done));
        else
          detail::start_cast(c.from, c.method, std::move(c.ctxt), *c.args,
                             {c.since, std::move(cancel)}, std::move(done));
      },
      token, std::move(call));
}

}  // namespace oslo::messaging::rpc::detail

#pragma GCC visibility pop
