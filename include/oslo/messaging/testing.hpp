// A bus for the tests of applications: a clock moved by hand, faults on order, a record of what was
// sent. Not part of messaging.hpp; it depends on no test framework.
#pragma once

#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <optional>
#include <oslo/messaging/context.hpp>
#include <oslo/messaging/convert.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/target.hpp>
#include <oslo/messaging/transport.hpp>
#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::testing {

/// One option as a test sets it.
struct setting {
  std::string_view group;  ///< "oslo_messaging_rabbit"
  std::string_view name;   ///< its present name or one that it had before
  std::string_view text;   ///< as a file would have it
};

/// The configuration of a test (oslo: ConfFixture): `transport_url` of [DEFAULT] is fake://,
/// `settings` go over that, and all else has its default. Throws `configuration_error` for a group
/// or an option that the library does not have, which it names, for a value of the wrong type or
/// out of range, and for one of an option that is refused; a configuration file would be silent
/// about an unknown name. Thread safety: may be called from any thread.
///
///     const auto conf = testing::make_config({{"DEFAULT", "rpc_response_timeout", "5"}});
///     testing::test_bus bus({.conf = conf});
config make_config(std::initializer_list<setting> settings = {});

/// One message that a transport was asked to send.
struct recorded_message {
  /// What was sent.
  enum class kind { call, cast, notification };

  kind what = kind::cast;                   ///< call, cast or notification
  target to{};                              ///< exchange, topic, server, fanout
  std::string method{};                     ///< of a notification: its event type
  std::optional<std::string> namespace_{};  ///< none: null
  std::optional<std::string> version{};     ///< none: the message had none
  value args{};                             ///< keyword arguments; of a notification: its payload
  context ctxt{};                           ///< as it was sent
  value body{};                             ///< the whole message, without the transport's keys
  std::optional<std::chrono::milliseconds> timeout{};  ///< none: for ever
  std::optional<failure> fault{};  ///< why it was not sent, when the test wanted that

  /// The arguments as a described struct (or whatever `convert.hpp` can read).
  template <class T>
  T args_as() const {
    return from_json<T>(to_json(args), "args");
  }
};

/// `call <Target topic=t> add({"a": 1, "b": 2})`, for messages of failed assertions.
std::string to_string(const recorded_message& m);
/// Writes the same, for GoogleTest.
std::ostream& operator<<(std::ostream& out, const recorded_message& m);

/// A bus of its own inside the process, and the loop of all its transports. Clients and servers
/// behave as over fake://; nothing leaves the process.
///
/// The loop has a thread, so blocking clients and thread pools work; but its clock stands still
/// until `advance`. What happens on the loop is then a matter of the test alone. For servers the
/// same holds with `inline_executor()`; with threads, wait for what they do.
///
/// Thread safety: all members from any thread; those that wait (all but `open`, `now` and `sent`)
/// throw `messaging_error` (`errc::would_deadlock`) on the loop itself, where `wait_for_sent` must
/// not be called either.
class test_bus {
 public:
  /// `o.loop` is not used.
  explicit test_bus(transport_options o = {});
  ~test_bus();
  test_bus(const test_bus&) = delete;
  test_bus& operator=(const test_bus&) = delete;

  /// Another transport on this bus, as another process would have.
  transport open() const;

  // ---- time

  /// What the manual clock shows.
  scheduler::time_point now() const;
  /// Moves the clock. Timers that become due run one after the other, each at its own time and
  /// with all that follows from it, before this returns. Rethrows what a completion threw.
  void advance(std::chrono::nanoseconds by);
  /// Returns when the loop has done all that can be done now. Rethrows what a completion threw.
  void settle();

  // ---- faults

  /// The next `count` sends of any transport fail with `why`, and reach nobody.
  void fail_sends(failure why, std::size_t count = 1);
  /// The next `count` replies of servers are lost on the way; the servers do not notice.
  void drop_replies(std::size_t count = 1);
  /// From now on no message passes: sends wait for `go_online` until their timeout, those without
  /// retries fail with `errc::unreachable`; replies wait. (`transport::probe` does not notice.)
  void go_offline();
  /// What waited is sent, in the order it came.
  void go_online();

  // ---- records

  /// Everything sent since the start, or since `forget`, in order.
  std::vector<recorded_message> sent() const;
  /// The same for one method or event type.
  std::vector<recorded_message> sent(std::string_view method) const;
  /// Waits until there are `count` records, for calls that other threads make. Throws
  /// `messaging_error` (`errc::timed_out`) after `limit` of real time.
  std::vector<recorded_message> wait_for_sent(
      std::size_t count, std::chrono::milliseconds limit = std::chrono::seconds(30)) const;
  /// Empties the record.
  void forget();

 private:
  class impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace oslo::messaging::testing

#pragma GCC visibility pop
