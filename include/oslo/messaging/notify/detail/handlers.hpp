// Turns the callables that an endpoint binds into erased handlers. Not part of the API.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <oslo/messaging/detail/callable.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/notify/notification.hpp>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

namespace oslo::messaging::notify::detail {

using single_handler = std::function<outcome(const notification&)>;
using batch_handler = std::function<outcome(std::span<const notification>)>;

/// A payload that is not what the handler takes. It never will be, however often it is delivered.
class wrong_payload : public messaging_error {
 public:
  using messaging_error::messaging_error;
};

using messaging::detail::bound_member;
using messaging::detail::class_of;
using messaging::detail::signature_of;

template <class R, class Call>
outcome outcome_of(Call&& call) {
  static_assert(std::is_void_v<R> || std::same_as<R, outcome>,
                "a handler returns void (handled) or an outcome");
  if constexpr (std::is_void_v<R>) {
    call();
    return outcome::handled;
  } else {
    return call();
  }
}

template <class P>
decltype(auto) pick(const notification& n) {
  using T = std::remove_cvref_t<P>;
  static_assert(std::is_constructible_v<P, T> || std::same_as<P, const T&>,
                "a handler takes its parameters by value or const reference");
  if constexpr (std::same_as<T, notification>) {
    return (n);
  } else if constexpr (std::same_as<T, context>) {
    return (n.ctxt);
  } else {
    try {
      return n.payload<T>();
    } catch (const messaging_error& e) {
      throw wrong_payload(e.failure());
    }
  }
}

template <class P>
inline constexpr bool is_payload = !std::same_as<std::remove_cvref_t<P>, notification> &&
                                   !std::same_as<std::remove_cvref_t<P>, context>;

template <class F, class R, class... P>
outcome call_single(F& f, const notification& n, std::type_identity<std::tuple<P...>>) {
  static_assert((int{is_payload<P>} + ... + 0) <= 1, "a handler takes at most one payload");
  return outcome_of<R>([&]() -> decltype(auto) { return f(pick<P>(n)...); });
}

template <class F>
single_handler make_single(F f) {
  using traits = signature_of<std::decay_t<F>>;
  return [f = std::move(f)](const notification& n) mutable {
    return call_single<F, typename traits::result>(
        f, n, std::type_identity<typename traits::parameters>{});
  };
}

template <class F>
batch_handler make_batch(F f) {
  using R = std::invoke_result_t<F&, std::span<const notification>>;
  return [f = std::move(f)](std::span<const notification> batch) mutable {
    return outcome_of<R>([&]() -> decltype(auto) { return f(batch); });
  };
}

}  // namespace oslo::messaging::notify::detail
