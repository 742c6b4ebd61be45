// Turns the callables that an endpoint binds into erased handlers. Not part of the API.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <concepts>
#include <exception>
#include <memory>
#include <oslo/messaging/detail/callable.hpp>
#include <oslo/messaging/detail/current_failure.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/notify/detail/invocation.hpp>
#include <oslo/messaging/notify/notification.hpp>
#include <oslo/messaging/notify/responder.hpp>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify::detail {

using messaging::detail::awaited;
using messaging::detail::bound_member;
using messaging::detail::class_of;
using messaging::detail::current_failure;
using messaging::detail::signature_of;

/// An erased handler. Called from several threads at once.
class handler {
 public:
  virtual ~handler() = default;
  /// False: `run` answers before it returns. True: `start` is to be called.
  virtual bool deferred() const noexcept { return false; }
  /// Throws what the handler throws.
  virtual outcome run(const invocation&) const { return outcome::handled; }
  /// Throws only what a handler throws that was given a responder.
  virtual void start(std::shared_ptr<invocation>) const {}
};

// ---- what a callable takes and returns ----------------------------------------------------------

template <class P>
inline constexpr bool takes_responder = std::same_as<std::remove_cvref_t<P>, responder>;
template <class P>
inline constexpr bool takes_payload =
    !takes_responder<P> && !std::same_as<std::remove_cvref_t<P>, notification> &&
    !std::same_as<std::remove_cvref_t<P>, context>;

template <class T>
struct typed_span : std::false_type {
  using payload = void;
};
template <class P>
struct typed_span<std::span<const typed_notification<P>>> : std::true_type {
  using payload = P;
};
template <class P>
inline constexpr bool takes_batch =
    std::same_as<std::remove_cvref_t<P>, std::span<const notification>> ||
    typed_span<std::remove_cvref_t<P>>::value;

struct nothing {};

/// The first of the types that `Chosen` says true of, or `nothing`.
template <template <class> class Chosen, class... P>
struct first_of {
  using type = nothing;
};
template <template <class> class Chosen, class P, class... Rest>
struct first_of<Chosen, P, Rest...>
    : std::conditional_t<Chosen<P>::value, std::type_identity<std::remove_cvref_t<P>>,
                         first_of<Chosen, Rest...>> {};

template <class P>
struct is_payload : std::bool_constant<takes_payload<P>> {};
template <class P>
struct is_batch : std::bool_constant<takes_batch<P>> {};

/// Handlers of one notification: what their parameters are made from.
template <class... P>
struct single_input {
  static_assert((int{takes_payload<P>} + ... + 0) <= 1, "a handler takes at most one payload");
  using payload = typename first_of<is_payload, P...>::type;

  explicit single_input(const invocation& call) : about(call.what().front()), read(decode(about)) {}
  static payload decode(const notification& n) {
    if constexpr (std::same_as<payload, nothing>)
      return {};
    else
      return n.payload<payload>();
  }
  bool empty() const noexcept { return false; }

  template <class Q>
  decltype(auto) pick(responder* answer) {
    using T = std::remove_cvref_t<Q>;
    static_assert(std::is_constructible_v<Q, T> || std::same_as<Q, const T&>,
                  "a handler takes its parameters by value or const reference");
    if constexpr (takes_responder<Q>)
      return std::move(*answer);
    else if constexpr (std::same_as<T, notification>)
      return (about);
    else if constexpr (std::same_as<T, context>)
      return (about.ctxt);
    else
      return std::move(read);
  }

  const notification& about;
  payload read;
};

/// Handlers of batches.
template <class... P>
struct batch_input {
  static_assert((int{takes_batch<P>} + ... + 0) == 1 &&
                    ((takes_batch<P> || takes_responder<P>)&&...),
                "a handler of batches takes a std::span<const notification>, or a std::span<const "
                "typed_notification<P>>, and perhaps a responder");
  using batch = typename first_of<is_batch, P...>::type;
  static constexpr bool is_typed = typed_span<batch>::value;
  using element = std::conditional_t<
      is_typed,
      typed_notification<std::conditional_t<is_typed, typename typed_span<batch>::payload, int>>,
      nothing>;

  explicit batch_input(const invocation& call) : all(call.what()) {
    if constexpr (is_typed) {
      read.reserve(all.size());
      for (const auto& n : all) try {
          read.push_back({n, n.payload<typename typed_span<batch>::payload>()});
        } catch (...) {
          call.unreadable(current_failure(errc::malformed_message, {}));
        }
    }
  }
  /// None of them can be read.
  bool empty() const noexcept { return is_typed && read.empty(); }

  template <class Q>
  decltype(auto) pick(responder* answer) {
    if constexpr (takes_responder<Q>)
      return std::move(*answer);
    else if constexpr (is_typed)
      return batch(read);
    else
      return batch(all);
  }

  std::span<const notification> all;
  std::vector<element> read{};
};

// ---- calling it ---------------------------------------------------------------------------------

/// Waits for a coroutine handler. Keeps what its references point to until it ends.
template <class R>
boost::asio::awaitable<outcome> finish_coroutine(boost::asio::awaitable<R> pending,
                                                 std::shared_ptr<invocation>,
                                                 std::shared_ptr<void>) {
  if constexpr (std::is_void_v<R>) {
    co_await std::move(pending);
    co_return outcome::handled;
  } else {
    co_return co_await std::move(pending);
  }
}

template <template <class...> class Input, class F,
          class Parameters = typename signature_of<F>::parameters>
class bound_handler;

/// `Input` is `single_input` or `batch_input`.
template <template <class...> class Input, class F, class... P>
class bound_handler<Input, F, std::tuple<P...>> final : public handler {
  using returned = typename signature_of<F>::result;
  using answered = typename awaited<returned>::type;
  using input = Input<P...>;
  static constexpr bool is_deferred = (takes_responder<P> || ...);
  static constexpr bool is_coroutine = awaited<returned>::is;
  static_assert(std::is_void_v<answered> || std::same_as<answered, outcome>,
                "a handler returns void (handled), an outcome, or an awaitable of either");
  static_assert(!is_deferred || std::is_void_v<returned>,
                "a handler with a responder returns void: its outcome comes through the responder");

 public:
  explicit bound_handler(F f) : f_(std::move(f)) {}

  bool deferred() const noexcept override { return is_deferred || is_coroutine; }

  outcome run(const invocation& call) const override {
    if constexpr (!is_deferred && !is_coroutine) {
      input in(call);
      if (in.empty()) return outcome::handled;
      if constexpr (!std::is_void_v<returned>) return f_(in.template pick<P>(nullptr)...);
      f_(in.template pick<P>(nullptr)...);
    }
    return outcome::handled;
  }

  void start(std::shared_ptr<invocation> call) const override {
    if constexpr (is_deferred || is_coroutine) {
      const auto kept = call;
      bool has_responder = false;
      try {
        const auto in = std::make_shared<input>(*call);
        if (in->empty()) return call->answer(outcome::handled);
        if constexpr (is_coroutine) {
          auto pending = f_(in->template pick<P>(nullptr)...);
          kept->run(finish_coroutine<answered>(std::move(pending), std::move(call), in));
        } else {
          call->held = in;
          responder answer(std::move(call));
          has_responder = true;
          f_(in->template pick<P>(&answer)...);
        }
      } catch (...) {
        if (has_responder) throw;
        kept->fail(std::current_exception());
      }
    }
  }

 private:
  mutable F f_;
};

template <class F>
std::unique_ptr<const handler> make_single(F f) {
  if (messaging::detail::is_null_function(f)) return nullptr;
  return std::make_unique<bound_handler<single_input, F>>(std::move(f));
}
template <class F>
std::unique_ptr<const handler> make_batch(F f) {
  if (messaging::detail::is_null_function(f)) return nullptr;
  return std::make_unique<bound_handler<batch_input, F>>(std::move(f));
}

}  // namespace oslo::messaging::notify::detail

#pragma GCC visibility pop
