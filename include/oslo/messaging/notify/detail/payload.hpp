// Payloads as JSON text. Not part of the API.
#pragma once

#include <oslo/messaging/convert.hpp>
#include <oslo/messaging/error.hpp>
#include <string>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify::detail {

template <class P>
result<std::string> payload_text(const P& payload) {
  return try_to_json(payload);
}

/// A payload passed as `P&&`: a temporary unless P is an lvalue reference.
template <class P>
constexpr void refuse_broken_temporary() {
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 12
  using T = std::remove_cvref_t<P>;
  static_assert(
      std::is_lvalue_reference_v<P> || std::is_trivially_copyable_v<T> || !std::is_aggregate_v<T>,
      "GCC 12 destroys such a temporary twice inside a co_await expression: give the payload a "
      "name first, and pass that");
#endif
}

}  // namespace oslo::messaging::notify::detail

#pragma GCC visibility pop
