// Calls and casts to remote methods.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <concepts>
#include <memory>
#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/detail/handle.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/patch.hpp>
#include <oslo/messaging/rpc/detail/start.hpp>
#include <oslo/messaging/rpc/detail/typed.hpp>
#include <oslo/messaging/rpc/exception_table.hpp>
#include <oslo/messaging/rpc/method.hpp>
#include <oslo/messaging/serializer.hpp>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/transport.hpp>
#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc {

/// How a client calls (docs/rpc.md).
struct client_options {
  /// Total time of a call. None: option rpc_response_timeout. Zero is a value, not "none". When
  /// given, it also bounds how long a cast waits for the bus; without it a cast waits for ever, as
  /// oslo's do.
  std::optional<std::chrono::milliseconds> timeout{};
  /// Highest version that may be sent, "major.minor"; above it a call fails with
  /// `errc::version_cap`.
  std::optional<std::string> version_cap{};
  /// Translates arguments, results and contexts. Null: none.
  std::shared_ptr<const messaging::serializer> serializer{};
  /// C++ types for exception classes of peers; nothing else is mapped. Null: all are
  /// `remote_error`.
  std::shared_ptr<const exception_table> exceptions{};
  /// The Python modules whose classes `exceptions` may map, besides builtins, which always count.
  /// A class of any other module is a `remote_error` although the table has it: for a table that
  /// several clients share and a peer that is to raise only some of it (oslo's option of that
  /// name). None: all modules of the table.
  std::optional<std::vector<std::string>> allowed_remote_exmods{};
  /// Attempts to reach a broker that this waits for, after the first. None or -1: all that there
  /// is time for. 0: none, so the one under way counts, and as long as the last one has failed
  /// everything fails at once (`errc::unreachable`).
  std::optional<int> retry{};
  /// Asks the server for heartbeats; the call fails when none comes for that long. `timeout` still
  /// bounds the whole call. At least 2 s: servers send none for less.
  std::optional<std::chrono::milliseconds> call_monitor_timeout{};
  /// Fail with `errc::undeliverable` when no queue takes the message.
  bool at_least_once = false;
};

using messaging::patch;

/// What `client::prepare` changes. Every member may be left out, `std::nullopt` or a value.
struct prepare_options {
  patch<std::string> exchange{};               ///< of the target
  patch<std::string> topic{};                  ///< of the target
  patch<std::string> namespace_{};             ///< of the target
  patch<std::string> version{};                ///< goes before that of a `method`
  patch<std::string> server{};                 ///< of the target; `std::nullopt`: any
  patch<bool> fanout{};                        ///< of the target
  patch<std::chrono::milliseconds> timeout{};  ///< as in `client_options`, as all below
  patch<std::string> version_cap{};            ///< "major.minor"
  patch<int> retry{};                          ///< attempts after the first
  patch<std::chrono::milliseconds> call_monitor_timeout{};  ///< at least 2 s
  patch<bool> at_least_once{};                              ///< needs a queue
};

/// Calls the methods of the servers of a topic.
///
/// Arguments are turned into text before `call` or `cast` returns, so nothing they refer to has to
/// live longer; the message goes out when the awaitable is awaited. The awaiting coroutine resumes
/// on its own executor. Cancelling it (an Asio cancellation slot, any type) ends the wait with
/// `errc::cancelled` and drops a late reply; the handler may still run.
///
/// The version of a message is the one given to `prepare` (also null: no version); else the version
/// of the `method`; else the version of the client's target; else none, which servers take for
/// "1.0". The cap is checked against it.
///
/// Throws (or, with `try_`, returns) `invalid_target` when there is no topic or a call has a fanout
/// target, `configuration_error` for arguments that are no JSON object, `rpc_version_cap_error`,
/// `messaging_timeout`, `message_undeliverable`, `message_delivery_failure`, `client_send_error`
/// for a verdict of the broker, `remote_error` (or the type of the exception table) when the
/// handler at the other end failed, `operation_cancelled`, `closed_error`, `limit_exceeded`, and
/// `messaging_error` with `errc::serialization_failed`, `errc::malformed_message` (a result of
/// another type than asked for, or that its codec refuses; the text names the path) or
/// `errc::wrong_process`. What starts with `try_` never throws.
///
/// GCC up to 12 miscompiles `co_await f({.name = "x"})` where the braces make a struct with a
/// member that is not trivially copyable (a string): it is destroyed twice. `call` and `cast`
/// refuse to compile that; give the arguments a name first. Structs of numbers are fine.
///
/// Copies are cheap and share the transport, which they keep open. One that was moved from can be
/// assigned to and destroyed; all else is an error, `errc::invalid_argument`.
/// Thread safety: const members may be called from any thread.
class client {
 public:
  /// Throws `messaging_error` (`errc::invalid_argument`) when the target's version or the cap is
  /// not "major.minor" or the call monitor's timeout is too short, or the transport's driver has no
  /// RPC (`errc::not_supported`). A fanout fails with `errc::not_supported` when the driver has
  /// none.
  client(transport bus, target to, client_options o = {});

  /// A client with some values changed. Throws `messaging_error` (`errc::invalid_argument`) when a
  /// given version or cap is not "major.minor", or a call monitor's timeout is too short.
  client prepare(const prepare_options& changes) const;

  /// True when the cap allows `version` (absent: a message without a version).
  bool can_send_version(const std::optional<std::string>& version) const;
  /// The same for the version of the target.
  bool can_send_version() const;

  /// What it was made with, `prepare` included.
  const target& where() const;
  /// What it was made with, `prepare` included.
  const client_options& options() const;
  /// How long a cast may wait for the bus: the timeout that was given; none: for ever.
  std::optional<std::chrono::milliseconds> cast_timeout() const;
  /// What it sends over.
  const transport& bus() const;

  /// Calls a method and returns its result.
  template <class R, class A, class B = A>
  requires std::convertible_to<B&&, const A&>
  [[nodiscard]] boost::asio::awaitable<R> call(const method<R(A)>& m, context ctxt,
                                               B&& args) const {
    detail::refuse_broken_temporary<A, B>();
    return detail::get_result<R>(call_text(m.name(), m.since(), std::move(ctxt), encode<A>(args)));
  }
  template <class R>
  [[nodiscard]] boost::asio::awaitable<R> call(const method<R()>& m, context ctxt) const {
    return detail::get_result<R>(call_text(m.name(), m.since(), std::move(ctxt), no_arguments()));
  }
  /// The same for a peer whose types are not known at compile time. `args` holds an object. (GCC 12
  /// cannot compile nested braces inside a co_await expression: name such a value first.)
  [[nodiscard]] boost::asio::awaitable<value> call(std::string_view name, context ctxt,
                                                   value args = object()) const {
    return detail::get_result<value>(call_text(name, {}, std::move(ctxt), encode(args)));
  }

  /// As `call`, with errors as values.
  template <class R, class A, class B = A>
  requires std::convertible_to<B&&, const A&>
  [[nodiscard]] boost::asio::awaitable<result<R>> try_call(const method<R(A)>& m, context ctxt,
                                                           B&& args) const {
    detail::refuse_broken_temporary<A, B>();
    return detail::try_get_result<R>(
        call_text(m.name(), m.since(), std::move(ctxt), encode<A>(args)));
  }
  template <class R>
  [[nodiscard]] boost::asio::awaitable<result<R>> try_call(const method<R()>& m,
                                                           context ctxt) const {
    return detail::try_get_result<R>(
        call_text(m.name(), m.since(), std::move(ctxt), no_arguments()));
  }
  [[nodiscard]] boost::asio::awaitable<result<value>> try_call(std::string_view name, context ctxt,
                                                               value args = object()) const {
    return detail::try_get_result<value>(call_text(name, {}, std::move(ctxt), encode(args)));
  }

  /// Sends without waiting for an answer; completes once the bus took responsibility. With a fanout
  /// target every server of the topic gets it. Whether the handler worked is not known.
  template <class R, class A, class B = A>
  requires std::convertible_to<B&&, const A&>
  [[nodiscard]] boost::asio::awaitable<void> cast(const method<R(A)>& m, context ctxt,
                                                  B&& args) const {
    detail::refuse_broken_temporary<A, B>();
    return detail::get_result<void>(
        cast_text(m.name(), m.since(), std::move(ctxt), encode<A>(args)));
  }
  template <class R>
  [[nodiscard]] boost::asio::awaitable<void> cast(const method<R()>& m, context ctxt) const {
    return detail::get_result<void>(
        cast_text(m.name(), m.since(), std::move(ctxt), no_arguments()));
  }
  [[nodiscard]] boost::asio::awaitable<void> cast(std::string_view name, context ctxt,
                                                  value args = object()) const {
    return detail::get_result<void>(cast_text(name, {}, std::move(ctxt), encode(args)));
  }

  /// As `cast`, with errors as values.
  template <class R, class A, class B = A>
  requires std::convertible_to<B&&, const A&>
  [[nodiscard]] boost::asio::awaitable<result<void>> try_cast(const method<R(A)>& m, context ctxt,
                                                              B&& args) const {
    detail::refuse_broken_temporary<A, B>();
    return detail::try_get_result<void>(
        cast_text(m.name(), m.since(), std::move(ctxt), encode<A>(args)));
  }
  template <class R>
  [[nodiscard]] boost::asio::awaitable<result<void>> try_cast(const method<R()>& m,
                                                              context ctxt) const {
    return detail::try_get_result<void>(
        cast_text(m.name(), m.since(), std::move(ctxt), no_arguments()));
  }
  [[nodiscard]] boost::asio::awaitable<result<void>> try_cast(std::string_view name, context ctxt,
                                                              value args = object()) const {
    return detail::try_get_result<void>(cast_text(name, {}, std::move(ctxt), encode(args)));
  }

 private:
  class impl;
  using text = result<std::string>;

  friend std::optional<failure> detail::cannot_start(const client&);
  friend void detail::start_call(const client&, std::string_view, context&&, std::string_view,
                                 detail::start_options, unique_function<void(result<std::string>)>);
  friend void detail::start_cast(const client&, std::string_view, context&&, std::string_view,
                                 detail::start_options, unique_function<void(result<void>)>);

  explicit client(std::shared_ptr<const impl> i) noexcept : impl_(std::move(i)) {}

  template <class A>
  static text encode(const A& args) {
    return try_to_json(args);
  }
  static text no_arguments() { return std::string("{}"); }
  boost::asio::awaitable<text> call_text(std::string_view name, std::optional<method_version> since,
                                         context ctxt, text args) const;
  boost::asio::awaitable<result<void>> cast_text(std::string_view name,
                                                 std::optional<method_version> since, context ctxt,
                                                 text args) const;

  messaging::detail::handle<const impl> impl_;
};

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
