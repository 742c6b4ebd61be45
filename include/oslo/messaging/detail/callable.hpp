// What a callable takes and returns. Not part of the API.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::detail {

template <class R, class... P>
struct signature {
  using result = R;
  using parameters = std::tuple<P...>;
};

/// `result` and `parameters` of a function, a member function, or an object with one operator().
template <class F>
struct signature_of : signature_of<decltype(&F::operator())> {};
template <class R, class... P>
struct signature_of<R (*)(P...)> : signature<R, P...> {};
template <class R, class... P>
struct signature_of<R (*)(P...) noexcept> : signature<R, P...> {};
template <class R, class C, class... P>
struct signature_of<R (C::*)(P...)> : signature<R, P...> {};
template <class R, class C, class... P>
struct signature_of<R (C::*)(P...) const> : signature<R, P...> {};
template <class R, class C, class... P>
struct signature_of<R (C::*)(P...) noexcept> : signature<R, P...> {};
template <class R, class C, class... P>
struct signature_of<R (C::*)(P...) const noexcept> : signature<R, P...> {};

/// Whether a result is a coroutine's, and what that one returns.
template <class T>
struct awaited {
  static constexpr bool is = false;
  using type = T;
};
template <class T, class E>
struct awaited<boost::asio::awaitable<T, E>> {
  static constexpr bool is = true;
  using type = T;
};

/// A member function and its object, as a callable with the member's signature.
template <class C, class Member>
struct bound_member;
template <class C, class R, class... P>
struct bound_member<C, R (C::*)(P...)> {
  R (C::*member)(P...);
  C* self;
  R operator()(P... args) const { return (self->*member)(std::forward<P>(args)...); }
};
template <class C, class R, class... P>
struct bound_member<C, R (C::*)(P...) const> {
  R (C::*member)(P...) const;
  C* self;
  R operator()(P... args) const { return (self->*member)(std::forward<P>(args)...); }
};
template <class C, class R, class... P>
struct bound_member<C, R (C::*)(P...) noexcept> : bound_member<C, R (C::*)(P...)> {};
template <class C, class R, class... P>
struct bound_member<C, R (C::*)(P...) const noexcept> : bound_member<C, R (C::*)(P...) const> {};

template <class Member>
struct class_of;
template <class C, class T>
struct class_of<T C::*> {
  using type = C;
};

}  // namespace oslo::messaging::detail

#pragma GCC visibility pop
