// Methods that a server offers.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/rpc/detail/handler.hpp>
#include <oslo/messaging/rpc/method.hpp>
#include <oslo/messaging/rpc/remote_exception.hpp>
#include <oslo/messaging/rpc/request_info.hpp>
#include <oslo/messaging/rpc/responder.hpp>
#include <oslo/messaging/target.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc {

namespace detail {
class method_table;
}

/// One bound method; what `endpoint::bind` returns, to say more about it.
class binding {
 public:
  /// Exceptions of these types (and of types derived from them) are part of the contract: they
  /// travel as any other, but are not logged as errors (oslo: expected_exceptions).
  template <class... E>
  binding& expect() {
    (expected_.push_back(&is_a<E>), ...);
    return *this;
  }
  /// Marks the method as callable under `explicit_access_policy` (oslo: expose).
  binding& expose() noexcept {
    exposed_ = true;
    return *this;
  }

  /// Arguments that a caller has to give, as those without a default in Python: without one of them
  /// it gets a TypeError. Throws `configuration_error` for what is no member of the struct that the
  /// handler takes.
  template <std::convertible_to<std::string_view>... Name>
  binding& require(const Name&... names) {
    (require_one(names), ...);
    return *this;
  }
  /// Whether arguments that the handler does not know are ignored (Python: `**kwargs`) instead of
  /// being a TypeError at the caller.
  binding& allow_unknown(bool allowed = true) noexcept {
    rules_.allow_unknown = allowed;
    return *this;
  }

  /// When requests of this method are acknowledged; without it before the handler.
  binding& acknowledge(acknowledge_when w) noexcept {
    when_ = w;
    return *this;
  }

  /// What has been said about it; for the dispatcher.
  const std::string& name() const noexcept { return name_; }
  /// What `acknowledge` said.
  acknowledge_when acknowledged() const noexcept { return when_; }
  /// Whether `expose` was called.
  bool exposed() const noexcept { return exposed_; }
  /// What `require` and `allow_unknown` said.
  const detail::argument_rules& arguments() const noexcept { return rules_; }
  /// Whether `expect` named its type. Precondition: not null.
  bool expects(const std::exception_ptr& error) const;
  /// What runs.
  const detail::handler& handler() const noexcept { return *handler_; }

 private:
  friend class detail::method_table;
  binding(std::string name, std::unique_ptr<const detail::handler> h)
      : name_(std::move(name)), handler_(std::move(h)) {}

  void require_one(std::string_view name);
  template <class E>
  static bool is_a(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  }

  std::string name_;
  bool exposed_ = false;
  detail::argument_rules rules_{};
  acknowledge_when when_ = acknowledge_when::before_handler;
  std::vector<bool (*)(const std::exception_ptr&)> expected_;
  std::unique_ptr<const detail::handler> handler_;
};

namespace detail {

/// The bindings of one endpoint and what it answers to.
class method_table {
 public:
  method_table(target accepts, bool allow_unknown);

  binding& add(std::string name, std::unique_ptr<const handler> h);
  binding& add_any(std::unique_ptr<const handler> h);
  const target& accepts() const noexcept { return accepts_; }
  /// True when a message of that namespace and version is for this endpoint.
  bool fits(const std::optional<std::string>& namespace_,
            const std::optional<std::string>& version) const;
  /// The binding of a method, or null.
  const binding* find(std::string_view name) const noexcept;
  /// True when the method has a binding of its own.
  bool has(std::string_view name) const noexcept { return bindings_.find(name) != bindings_.end(); }
  /// True when a method is acknowledged after its handler.
  bool acknowledges_late() const noexcept;

 private:
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };

  target accepts_;
  bool allow_unknown_;
  std::vector<std::optional<std::string>> namespaces_;
  std::optional<std::string> version_;
  std::unordered_map<std::string, std::unique_ptr<binding>, hash, std::equal_to<>> bindings_;
  std::unique_ptr<binding> any_;
};

template <class T>
inline constexpr bool is_dynamic = std::is_same_v<T, value> || std::is_same_v<T, raw_json>;

template <class Signature, class F>
constexpr void check_contract() {
  using A = typename method<Signature>::args_type;
  using R = typename method<Signature>::result_type;
  using handler_args = typename handler_traits<F>::arguments;
  using handler_result = typename answer_of<F>::type;
  static_assert(
      std::is_void_v<handler_args> || std::is_same_v<handler_args, A> || is_dynamic<handler_args>,
      "the handler takes other arguments than the method declares");
  static_assert(std::is_same_v<handler_result, R> || is_dynamic<handler_result> ||
                    (!std::is_void_v<R> && std::is_convertible_v<handler_result, R>),
                "the handler returns something else than the method declares");
}

template <class Endpoint, class F>
auto make_callable(Endpoint* self, F f) {
  if constexpr (std::is_member_function_pointer_v<F>) {
    using C = typename class_of<F>::type;
    static_assert(std::is_base_of_v<Endpoint, C>,
                  "bind member functions of the endpoint itself, or a lambda");
    return bound_member<C, F>{f, static_cast<C*>(self)};
  } else {
    return f;
  }
}

template <class F>
std::unique_ptr<const handler> make_handler(F f) {
  if (messaging::detail::is_null_function(f)) return nullptr;
  return std::make_unique<bound_handler<F>>(std::move(f));
}

}  // namespace detail

/// What holds for all methods of an endpoint.
struct endpoint_options {
  /// Arguments that a handler does not know are ignored, as far as a binding does not say
  /// otherwise.
  bool allow_unknown = false;
};

/// A set of methods under one namespace and version (docs/rpc.md). Derive from it and bind in
/// the constructor, or make one and bind lambdas.
///
/// A handler is a function, a lambda whose call operator is const, or a member function of the
/// derived class. It takes, in any order and each at most once:
///
/// - `const context&`: the caller's context;
/// - a described struct, a `std::map<std::string, T>`, `value` or `raw_json`: the keyword
/// arguments;
/// - `std::string_view`: the name of the method called;
/// - `const request_info&`: how long the caller waits, and whether it still does;
/// - `responder<R>`: the way to answer later; the handler then returns `void`;
///
/// and returns `R`, `void`, or `asio::awaitable<R>`. Members that the caller left out keep their
/// default, unless `binding::require` names them. An argument that is required and missing, that
/// the struct does not have (or that comes to a handler which takes none), or of a wrong type is a
/// TypeError at the caller that names it ("args.a: expected int"). Plain handlers run on the
/// server's executor and may block it; coroutines run on it too, but take no thread while they
/// wait. References are valid until the handler returns, or its coroutine ends, or its responder
/// has answered.
///
/// Thread safety: bind before the endpoint is given to a server; after that handlers are called
/// from any thread of the executor, possibly at once from several.
class endpoint {
 public:
  /// `accepts` uses namespace_, legacy_namespaces and version ("1.0" when absent). Throws
  /// `messaging_error` (`errc::invalid_argument`) when the version is not "major.minor".
  explicit endpoint(target accepts = {}, endpoint_options o = {});
  virtual ~endpoint() = default;
  endpoint(const endpoint&) = delete;
  endpoint& operator=(const endpoint&) = delete;

  /// Binds a method of a contract. The handler's arguments and result are checked against it when
  /// it is compiled; `value` and `raw_json` are allowed in the place of either. Throws
  /// `configuration_error` when the name is bound already, or `f` is a null pointer or an empty
  /// `std::function`.
  template <class Signature, class F>
  binding& bind(const method<Signature>& m, F f) {
    auto callable = detail::make_callable(this, std::move(f));
    detail::check_contract<Signature, decltype(callable)>();
    constexpr bool ignores_arguments =
        std::is_void_v<typename detail::handler_traits<decltype(callable)>::arguments> &&
        !std::is_void_v<typename method<Signature>::args_type>;
    auto& bound = table_.add(std::string(m.name()), detail::make_handler(std::move(callable)));
    return ignores_arguments ? bound.allow_unknown() : bound;
  }

  /// Binds a method by name. Throws `configuration_error` when the name is empty or bound already,
  /// or `f` is a null pointer or an empty `std::function`.
  template <class F>
  binding& bind(std::string name, F f) {
    return table_.add(std::move(name),
                      detail::make_handler(detail::make_callable(this, std::move(f))));
  }

  /// Binds every method that has no binding of its own; unknown arguments are allowed. Throws
  /// `configuration_error` when there is such a handler already.
  template <class F>
  binding& bind_any(F f) {
    return table_.add_any(detail::make_handler(detail::make_callable(this, std::move(f))));
  }

  /// What the server looks methods up in. (Few names here: they would hide the constants that a
  /// derived class binds.)
  const detail::method_table& method_table() const noexcept { return table_; }

 private:
  detail::method_table table_;
};

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
