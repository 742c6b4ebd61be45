// The contract of a remote method: a constant that client and server both include.
#pragma once

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc {

/// The version of the interface in which a method appeared: "major.minor".
struct method_version {
  int major = 1;  ///< a change breaks callers
  int minor = 0;  ///< a change adds something
  constexpr bool operator==(const method_version&) const = default;
};

/// "1.2".
inline std::string to_string(method_version v) {
  std::array<char, 24> text;
  auto* end = std::to_chars(text.data(), text.data() + text.size(), v.major).ptr;
  *end++ = '.';
  end = std::to_chars(end, text.data() + text.size(), v.minor).ptr;
  return {text.data(), end};
}

namespace detail {

/// What a method is called and since when; the same for every signature.
class method_name {
 public:
  constexpr explicit method_name(std::string_view name) noexcept : name_(name) {}
  constexpr method_name(std::string_view name, method_version since) noexcept
      : name_(name), since_(since) {}
  constexpr std::string_view name() const noexcept { return name_; }
  constexpr const std::optional<method_version>& since() const noexcept { return since_; }

 private:
  std::string_view name_;
  std::optional<method_version> since_{};
};

}  // namespace detail

/// Names a method on the wire and fixes the types of its arguments and result at compile time:
///
///     struct add_args { int a = 0, b = 0; };
///     BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))
///     inline constexpr rpc::method<int(add_args)> add{"add", {1, 1}};
///
/// `Signature` is `R(Args)` or `R()`. `Args` becomes the keyword arguments of the message: a
/// described struct, a string map, `value` (holding an object) or `raw_json`; `R` is anything that
/// can be read from JSON, or `void`. The version is the first one of the interface that has the
/// method; clients send it (see `client`), so that only servers that have the method answer.
/// Without it a client sends the version of its target.
///
/// The name is not copied: take a string literal.
template <class Signature>
class method;

/// A method that takes arguments.
template <class R, class Args>
class method<R(Args)> : public detail::method_name {
 public:
  using result_type = R;   ///< what a call returns
  using args_type = Args;  ///< its arguments
  using method_name::method_name;
};

/// A method without arguments.
template <class R>
class method<R()> : public detail::method_name {
 public:
  using result_type = R;   ///< what a call returns
  using args_type = void;  ///< it has none
  using method_name::method_name;
};

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
