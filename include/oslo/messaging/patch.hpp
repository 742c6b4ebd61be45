// One override of a `prepare` function.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging {

namespace detail {

template <class U>
struct patched {
  using value = U;
};
template <class U>
struct patched<std::optional<U>> {
  using value = U;
};

/// Text becomes a string; a number another one of its kind that holds every value of its type.
template <class U, class T>
inline constexpr bool patches = std::is_convertible_v<const U&, T>;
template <class U>
inline constexpr bool patches<U, std::string> = std::is_convertible_v<const U&, std::string_view>;
template <class U, class T>
requires std::is_arithmetic_v<T>
inline constexpr bool patches<U, T> = std::is_arithmetic_v<U> &&
                                      std::same_as<U, bool> == std::same_as<T, bool> &&
                                      requires(const U& v) {
  T{v};
};

/// Text of at most 255 bytes, trivially copyable.
class short_text {
 public:
  static constexpr std::size_t capacity = 255;
  explicit short_text(std::string_view text) : size_(static_cast<unsigned char>(text.size())) {
    if (text.size() > capacity)
      throw configuration_error({errc::invalid_argument, "A text given to prepare has " +
                                                             std::to_string(text.size()) +
                                                             " bytes; it may have 255."});
    text.copy(bytes_.data(), text.size());
  }
  explicit operator std::string() const { return {bytes_.data(), size_}; }

 private:
  unsigned char size_;
  std::array<char, capacity> bytes_;
};

}  // namespace detail

/// One override of a `prepare` function: not given (keep what there is), `std::nullopt` (none), or
/// a value, which it owns. A value is text for a string, and a number or a duration of a type that
/// fits without loss; pointers are neither numbers nor bool. Text of more than 255 bytes, the limit
/// of names in AMQP, throws `configuration_error`.
///
/// Trivially copyable on purpose: GCC up to 12 destroys the members of a struct twice that is made
/// by braces inside a co_await expression, `co_await c.prepare({.version = "1.2"}).call(…)`.
///
/// Thread safety: distinct objects are safe.
template <class T>
class patch {
  template <class U>
  static constexpr bool takes =
      detail::patches<typename detail::patched<std::remove_cvref_t<U>>::value, T>;

 public:
  patch() noexcept = default;                       ///< not given
  patch(std::nullopt_t) noexcept : given_(true) {}  ///< none
  /// A value, or what the optional holds.
  template <class U>
  requires takes<U> patch(U&& v) : given_(true) {
    if constexpr (requires { v.has_value(); }) {
      if (v) value_.emplace(*std::forward<U>(v));
    } else {
      value_.emplace(std::forward<U>(v));
    }
  }
  // The compiler shows the line that it refuses by.
  // clang-format off
  patch(std::nullptr_t) = delete;  // std::nullopt clears a value, a null pointer does not
  template <class U> requires(!takes<U> && !std::same_as<std::remove_cvref_t<U>, patch>)
  patch(U&&) = delete;  // a value fits the type: it neither narrows nor makes a bool of a pointer
  // clang-format on

  /// False: keep what there is.
  bool given() const noexcept { return given_; }
  /// The value; none when it is `std::nullopt` or not given.
  std::optional<T> get() const { return value_ ? std::optional<T>(*value_) : std::nullopt; }
  /// Changes `field` if given.
  template <class U>
  void apply_to(std::optional<U>& field) const {
    if (!given_) return;
    if (value_)
      field.emplace(T(*value_));
    else
      field.reset();
  }

 private:
  using stored = std::conditional_t<std::same_as<T, std::string>, detail::short_text, T>;
  static_assert(std::is_trivially_copyable_v<stored>);

  bool given_ = false;
  std::optional<stored> value_{};
};

}  // namespace oslo::messaging

#pragma GCC visibility pop
