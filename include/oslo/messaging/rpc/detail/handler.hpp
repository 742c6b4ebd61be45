// Turns the callables that an endpoint binds into erased handlers. Not part of the API.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <concepts>
#include <memory>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/detail/callable.hpp>
#include <oslo/messaging/rpc/detail/invocation.hpp>
#include <oslo/messaging/rpc/detail/typed.hpp>
#include <oslo/messaging/rpc/responder.hpp>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc::detail {

/// The names of the arguments are those of a struct's members, read by the codec of the library.
template <class A>
concept names_arguments = messaging::detail::described_class<A> && requires {
  json_codec<A>::tables::readable;
};
using described_arguments = std::span<const messaging::detail::readable_member>;

template <class A>
constexpr described_arguments arguments_of() {
  if constexpr (names_arguments<A>)
    return json_codec<A>::tables::readable;
  else
    return {};
}

/// An erased handler. `run` may be called from several threads at once.
class handler {
 public:
  virtual ~handler() = default;
  /// False: `run` writes the result before it returns. True: `start` is to be called.
  virtual bool deferred() const noexcept { return false; }
  /// The names of its arguments, where they are members of a described struct.
  virtual described_arguments arguments() const noexcept { return {}; }
  /// Appends the result as JSON text; throws what the handler throws.
  virtual void run(const request&, std::string&) const {}
  /// Throws what the handler throws before it returns, whether it has taken its responder or not.
  virtual void start(std::shared_ptr<invocation>) const {}
};

// ---- what a callable takes and returns ----------------------------------------------------------

using messaging::detail::awaited;
using messaging::detail::bound_member;
using messaging::detail::class_of;
using messaging::detail::signature_of;

template <class T>
struct is_responder : std::false_type {};
template <class R>
struct is_responder<responder<R>> : std::true_type {
  using result = R;
};

template <class P>
inline constexpr bool takes_context = std::same_as<std::remove_cvref_t<P>, context>;
template <class P>
inline constexpr bool takes_name = std::same_as<std::remove_cvref_t<P>, std::string_view>;
template <class P>
inline constexpr bool takes_responder = is_responder<std::remove_cvref_t<P>>::value;
template <class P>
inline constexpr bool takes_info = std::same_as<std::remove_cvref_t<P>, request_info>;
template <class P>
inline constexpr bool takes_arguments =
    !takes_context<P> && !takes_name<P> && !takes_responder<P> && !takes_info<P>;

/// The one parameter that holds the arguments, or void.
template <class... P>
struct arguments_in {
  using type = void;
};
template <class P, class... Rest>
struct arguments_in<P, Rest...>
    : std::conditional_t<takes_arguments<P>, std::type_identity<std::remove_cvref_t<P>>,
                         arguments_in<Rest...>> {};
template <class... P>
struct responder_in {
  using type = void;
};
template <class P, class... Rest>
struct responder_in<P, Rest...>
    : std::conditional_t<takes_responder<P>, std::type_identity<std::remove_cvref_t<P>>,
                         responder_in<Rest...>> {};

template <class Tuple>
struct analysis;
template <class... P>
struct analysis<std::tuple<P...>> {
  static_assert((int{takes_arguments<P>} + ... + 0) <= 1,
                "a handler takes its arguments as one parameter: a described struct, a string map, "
                "value or raw_json");
  static_assert((int{takes_context<P>} + ... + 0) <= 1, "a handler takes at most one context");
  static_assert((int{takes_responder<P>} + ... + 0) <= 1, "a handler takes at most one responder");
  static_assert(((!takes_info<P> || std::same_as<P, const request_info&>)&&...),
                "a handler takes the request_info by const reference");
  static_assert(((takes_info<P> || std::is_constructible_v<P, std::remove_cvref_t<P>>)&&...) ||
                    (takes_context<P> || ...),
                "a handler takes its parameters by value or const reference");
  using arguments = typename arguments_in<P...>::type;
  using answer = typename responder_in<P...>::type;
};

template <class F>
struct handler_traits {
  using signature_type = signature_of<std::decay_t<F>>;
  using parameters = typename signature_type::parameters;
  using returned = typename signature_type::result;
  using arguments = typename analysis<parameters>::arguments;  ///< void: takes none
  using answer = typename analysis<parameters>::answer;        ///< void: no responder
  static constexpr bool is_deferred = !std::is_void_v<answer>;
  static constexpr bool is_coroutine = awaited<returned>::is;
  static_assert(!is_deferred || std::is_void_v<returned>,
                "a handler with a responder returns void: its answer comes through the responder");
};

/// The type a handler answers with.
template <class F, bool Deferred = handler_traits<F>::is_deferred>
struct answer_of {
  using type = typename awaited<typename handler_traits<F>::returned>::type;
};
template <class F>
struct answer_of<F, true> {
  using type = typename is_responder<typename handler_traits<F>::answer>::result;
};

// ---- calling it ---------------------------------------------------------------------------------

struct no_arguments {};

/// Throws `messaging_error` (`errc::malformed_message`), also for names that `r.rules` refuses.
void read_arguments(const request& r, void* into, described_arguments members);

template <class A>
auto decode_arguments(const request& r) {
  if constexpr (std::is_void_v<A>) {
    if (!r.rules.allow_unknown) read_arguments(r, nullptr, {});
    return no_arguments{};
  } else if constexpr (names_arguments<A>) {
    A read{};
    read_arguments(r, &read, arguments_of<A>());
    return read;
  } else {
    return from_json<A>(r.args, "args");
  }
}

template <class P, class A, class Answer>
decltype(auto) pick(const request& r, A& args, Answer& answer) {
  if constexpr (takes_context<P>)
    return (r.ctxt);
  else if constexpr (takes_name<P>)
    return (r.method);
  else if constexpr (takes_info<P>)
    return (r.info);
  else if constexpr (takes_responder<P>)
    return std::move(answer);
  else
    return std::move(args);
}

template <class F, class A, class Answer, class... P>
decltype(auto) invoke(const F& f, const request& r, A& args, Answer& answer,
                      std::type_identity<std::tuple<P...>>) {
  return f(pick<P>(r, args, answer)...);
}

template <class F>
void write_answer(std::string& out, const F& produce) {
  using R = decltype(produce());
  if constexpr (std::is_void_v<R>) {
    produce();
    out += "null";
  } else {
    write_result<std::remove_cvref_t<R>>(out, produce());
  }
}

/// Waits for a coroutine handler. Keeps what its references point to alive until it ends.
template <class R>
boost::asio::awaitable<std::string> finish_coroutine(boost::asio::awaitable<R> pending,
                                                     std::shared_ptr<invocation>,
                                                     std::shared_ptr<void>) {
  std::string out;
  if constexpr (std::is_void_v<R>) {
    co_await std::move(pending);
    out = "null";
  } else {
    const R answer = co_await std::move(pending);
    write_result<R>(out, answer);
  }
  co_return out;
}

/// `F` is a callable whose operator() is const, or a function pointer.
template <class F>
class bound_handler final : public handler {
  using traits = handler_traits<F>;
  using arguments_type = typename traits::arguments;
  static constexpr std::type_identity<typename traits::parameters> parameters{};

 public:
  explicit bound_handler(F f) : f_(std::move(f)) {}

  bool deferred() const noexcept override { return traits::is_deferred || traits::is_coroutine; }
  described_arguments arguments() const noexcept override { return arguments_of<arguments_type>(); }

  void run(const request& r, std::string& out) const override {
    if constexpr (!traits::is_deferred && !traits::is_coroutine) {
      auto args = decode_arguments<arguments_type>(r);
      no_arguments none;
      write_answer(out, [&]() -> decltype(auto) { return invoke(f_, r, args, none, parameters); });
    }
  }

  void start(std::shared_ptr<invocation> call) const override {
    if constexpr (traits::is_deferred) {
      const request& r = call->what();
      using held = decltype(decode_arguments<arguments_type>(r));
      const auto args = std::make_shared<held>(decode_arguments<arguments_type>(r));
      call->held = args;
      typename traits::answer answer(std::move(call));
      invoke(f_, r, *args, answer, parameters);
    } else if constexpr (traits::is_coroutine) {
      using R = typename awaited<typename traits::returned>::type;
      using held = decltype(decode_arguments<arguments_type>(call->what()));
      auto args = std::make_shared<held>(decode_arguments<arguments_type>(call->what()));
      no_arguments none;
      auto pending = invoke(f_, call->what(), *args, none, parameters);
      auto& started = *call;
      started.run(finish_coroutine<R>(std::move(pending), std::move(call), std::move(args)));
    }
  }

 private:
  F f_;
};

}  // namespace oslo::messaging::rpc::detail

#pragma GCC visibility pop
