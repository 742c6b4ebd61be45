// Errors: one enumeration, one failure value, and the exception family of oslo.messaging.
#pragma once

#include <boost/json/fwd.hpp>
#include <boost/system/result.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging {

struct target;

/// Everything that can go wrong, by what the caller can do about it.
enum class errc {
  // Mistakes of the program or its configuration. Never retried.
  invalid_argument = 1,  ///< an argument, option or value is out of its range
  invalid_url,           ///< a transport URL cannot be read
  invalid_config,        ///< a config file or option cannot be read
  invalid_target,        ///< a target lacks what the operation needs
  unknown_driver,        ///< no driver for the URL's scheme
  not_supported,         ///< the driver or the peer cannot do this
  version_cap,           ///< the call's version is above the client's version cap
  would_deadlock,        ///< a blocking call from the thread that would have to complete it
  wrong_process,         ///< a transport was used in a child of the process that opened it

  // What is known about a message that was to be sent.
  not_sent,         ///< definitely not sent
  outcome_unknown,  ///< sent, but the link was lost before the broker confirmed it
  undeliverable,    ///< the broker returned it: no queue was bound
  rejected,         ///< the broker refused it (basic.nack)
  timed_out,        ///< the deadline passed; `failure::detail` says at which stage
  cancelled,        ///< the caller gave up
  closed,           ///< the transport, client or server was closed
  limit_exceeded,   ///< a bound (queue, body, window) was reached

  // Verdicts of the broker. Not network faults: retrying at once cannot help.
  authentication_failed,  ///< user name, password or certificate refused
  access_refused,         ///< no permission for a vhost, exchange or queue
  vhost_not_found,        ///< the virtual host does not exist
  precondition_failed,  ///< an object exists with other arguments (406), or the broker forbids them
  broker_error,         ///< any other error reported by the broker

  // The link.
  unreachable,     ///< no host could be reached
  tls_failed,      ///< certificate or TLS handshake refused
  protocol_error,  ///< the peer broke the protocol

  // Messages.
  malformed_message,     ///< not JSON, not an envelope, or a value of the wrong type
  serialization_failed,  ///< a value cannot be written as JSON
  no_such_method,        ///< the endpoint has no such method
  unsupported_version,   ///< no endpoint for that namespace and version
  remote_error,          ///< the handler at the other end failed; see `failure::remote`
  handler_failed,        ///< a local handler threw
};

/// The category of `errc`; its name is "oslo.messaging".
const std::error_category& error_category() noexcept;
/// So that an `errc` is an `std::error_code`.
inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), error_category()};
}
/// True when the same operation may succeed later without a change of program or configuration.
bool is_retryable(errc e) noexcept;

/// An exception of the peer as it travels in a reply (spec: failure JSON). All text is UTF-8.
struct remote_failure {
  std::string type;                    ///< class name, "ValueError"
  std::string module;                  ///< "builtins", "nova.exception"
  std::string message;                 ///< str() of the exception, without traceback
  std::vector<std::string> traceback;  ///< lines as the peer printed them, each with its newline
  std::string args_json = "[]";        ///< positional arguments, a JSON array as text
  std::string kwargs_json = "{}";      ///< keyword arguments, a JSON object as text
  /// All of it as the text that travels, one JSON object, keys of other peers' making included. Of
  /// one that was received: as it came; empty when that was no JSON object, which is the `message`
  /// then. Of one to be sent: when it is not empty it is sent as it is, and the other members do
  /// not count; clear it to change them.
  std::string json{};
};

/// Where a message was when its time ran out, or where it was refused. Unknown fields are empty.
struct failure_detail {
  /// How far it came: "connecting", "blocked", "queued", "sent", "returned", "confirmed",
  /// "waiting", "monitor"; docs/delivery.md says what each means.
  std::string stage;
  std::string destination;               ///< exchange and routing key, or topic
  std::string message_id;                ///< empty where it has none
  std::string broker;                    ///< host:port, never with credentials
  std::chrono::milliseconds elapsed{0};  ///< since the send or call began
};

/// What a failure is about, as far as it is known: the attributes of its exception.
struct failure_subject {
  std::shared_ptr<const messaging::target> target{};  ///< invalid_target
  std::string url{};                     ///< invalid_url; what might be a secret is ***
  std::optional<std::string> version{};  ///< version_cap, unsupported_version
  std::string version_cap{};             ///< version_cap
  std::string method{};                  ///< no_such_method, unsupported_version
  std::string exchange{};                ///< undeliverable
  std::string routing_key{};             ///< likewise
};

class failure;
/// Throws the exception class that belongs to `f.code()`; see also `failure::throwing`.
[[noreturn]] void throw_failure(const failure& f);

/// What went wrong: a code to branch on and a sentence to show. Never holds a password.
///
/// Cheap to copy (one shared pointer); one that was moved from stays what it was.
/// Thread safety: immutable; any number of threads may read the same object.
class failure {
 public:
  failure();  ///< no failure: code 0 and no text, for `result::error()` of a result with a value
  /// `message` is a sentence for people that names the place.
  failure(errc code, std::string message);
  failure(errc code, std::string message, failure_detail detail);
  /// `errc::remote_error` with the peer's exception.
  explicit failure(remote_failure remote);
  failure(const failure&) noexcept = default;
  failure& operator=(const failure&) noexcept = default;

  /// What to branch on; 0 (no enumerator): no failure.
  errc code() const noexcept { return data_->code; }
  /// One sentence, or for a remote error oslo's text `Remote error: <type> <message>`.
  const std::string& message() const noexcept { return data_->message; }
  /// The peer's exception, or null when the fault is local.
  const remote_failure* remote() const noexcept { return data_->remote.get(); }
  /// Where the message was. Empty for failures that are about no message.
  const failure_detail& detail() const noexcept { return data_->detail; }
  /// What it is about. Empty where that is not known.
  const failure_subject& subject() const noexcept;
  /// The same failure with that subject.
  failure about(failure_subject subject) const;

  /// The same failure, for which `throw_failure` (and so `result::value`) first calls `raise`,
  /// which may throw an exception of the application's. When it returns, the usual one is thrown.
  failure throwing(std::function<void(const failure&)> raise) const;

 private:
  friend void throw_failure(const failure& f);
  struct data {
    errc code{};
    std::string message;
    failure_detail detail;
    std::shared_ptr<const remote_failure> remote;
    std::function<void(const failure&)> raise;
    std::shared_ptr<const failure_subject> subject{};
  };
  std::shared_ptr<const data> data_;
};

/// A value or a `failure`. `value()` throws the matching exception of the family below.
template <class T>
using result = boost::system::result<T, failure>;

/// Base of all exceptions of the library (oslo: MessagingException). `what()` is the message.
class messaging_error : public std::runtime_error {
 public:
  /// What `throw_failure` throws for `f`.
  explicit messaging_error(messaging::failure f);
  /// All that is known.
  const messaging::failure& failure() const noexcept { return failure_; }
  /// `failure().code()` in the category of `errc`.
  std::error_code code() const noexcept { return make_error_code(failure_.code()); }

 private:
  messaging::failure failure_;
};

// One class for each that a caller may want to catch by type; see docs/rpc.md.
// clang-format off
class configuration_error      : public messaging_error { using messaging_error::messaging_error; };  ///< invalid_config, invalid_argument
class driver_load_failure      : public messaging_error { using messaging_error::messaging_error; };  ///< unknown_driver
class messaging_timeout        : public messaging_error { using messaging_error::messaging_error; };  ///< timed_out
class message_delivery_failure : public messaging_error { using messaging_error::messaging_error; };  ///< not_sent, outcome_unknown, rejected, unreachable
class client_send_error        : public messaging_error { using messaging_error::messaging_error; };  ///< broker verdicts while sending
class operation_cancelled      : public messaging_error { using messaging_error::messaging_error; };  ///< cancelled
class closed_error             : public messaging_error { using messaging_error::messaging_error; };  ///< closed
class limit_exceeded           : public messaging_error { using messaging_error::messaging_error; };  ///< limit_exceeded
class would_deadlock           : public messaging_error { using messaging_error::messaging_error; };  ///< would_deadlock
class messaging_server_error   : public messaging_error { using messaging_error::messaging_error; };  ///< base of server-side errors
class server_listen_error      : public messaging_server_error { using messaging_server_error::messaging_server_error; };  ///< `start` of a server or listener failed
class task_timeout             : public messaging_server_error { using messaging_server_error::messaging_server_error; };  ///< `stop` or `wait` took longer than its limit
class rpc_dispatcher_error     : public messaging_server_error { using messaging_server_error::messaging_server_error; };  ///< base of what finds no method
// clang-format on

// These have attributes, as in Python, for failures of this process. They are empty where it is not
// known what the failure is about, as for one that came from a peer: what that one brought is
// in `failure().remote()`.
/// A URL that cannot be read (`errc::invalid_url`).
class invalid_transport_url : public messaging_error {
 public:
  using messaging_error::messaging_error;
  /// The URL without what might be a secret: "rabbit://***".
  const std::string& url() const noexcept { return failure().subject().url; }
};
/// A target that lacks what the operation needs (`errc::invalid_target`).
class invalid_target : public messaging_error {
 public:
  using messaging_error::messaging_error;
  /// Null when it is not known.
  const messaging::target* target() const noexcept { return failure().subject().target.get(); }
};
/// No queue takes the message (`errc::undeliverable`).
class message_undeliverable : public messaging_error {
 public:
  using messaging_error::messaging_error;
  /// Where it was sent to. Empty when it is not known.
  const std::string& exchange() const noexcept { return failure().subject().exchange; }
  /// Likewise.
  const std::string& routing_key() const noexcept { return failure().subject().routing_key; }
  /// Of a call. The text of the message is not kept: failures get into logs.
  const std::string& message_id() const noexcept { return failure().detail().message_id; }
};
/// The version is above the cap of the client (`errc::version_cap`).
class rpc_version_cap_error : public messaging_error {
 public:
  using messaging_error::messaging_error;
  /// Of the message; none: it had no version, or it is not known.
  const std::optional<std::string>& version() const noexcept { return failure().subject().version; }
  /// Of the client, "major.minor".
  const std::string& version_cap() const noexcept { return failure().subject().version_cap; }
};
/// No endpoint has the method (`errc::no_such_method`).
class no_such_method : public rpc_dispatcher_error {
 public:
  using rpc_dispatcher_error::rpc_dispatcher_error;
  /// The name that was called.
  const std::string& method() const noexcept { return failure().subject().method; }
};
/// No endpoint has the namespace and version (`errc::unsupported_version`).
class unsupported_version : public rpc_dispatcher_error {
 public:
  using rpc_dispatcher_error::rpc_dispatcher_error;
  /// Of the message; none: it had no version, or it is not known.
  const std::optional<std::string>& version() const noexcept { return failure().subject().version; }
  /// The name that was called.
  const std::string& method() const noexcept { return failure().subject().method; }
};

/// The peer's handler raised. `type()`, `module()` and so on come from the wire (oslo:
/// RemoteError). Derive from it to give classes of a peer a C++ type of their own
/// (rpc/exception_table.hpp).
class remote_error : public messaging_error {
 public:
  /// Precondition: `f.remote()` is not null.
  explicit remote_error(messaging::failure f) : messaging_error(std::move(f)) {}
  /// The name of the class, without its module.
  const std::string& type() const noexcept { return failure().remote()->type; }
  /// The Python module of the class, "builtins" for built-in ones.
  const std::string& module() const noexcept { return failure().remote()->module; }
  /// The text of the exception.
  const std::string& message() const noexcept { return failure().remote()->message; }
  /// The lines of the traceback, as the peer wrote them.
  const std::vector<std::string>& traceback() const noexcept {
    return failure().remote()->traceback;
  }
  /// What the peer's class was constructed from, as it says itself. Empty when that is not JSON.
  boost::json::array args() const;
  /// Likewise the keyword arguments.
  boost::json::object kwargs() const;
};

/// Customisation point of `boost::system::result`; same as `throw_failure`.
[[noreturn]] inline void throw_exception_from_error(const failure& f,
                                                    const boost::source_location& = {}) {
  throw_failure(f);
}

}  // namespace oslo::messaging

template <>
struct std::is_error_code_enum<oslo::messaging::errc> : std::true_type {};

#pragma GCC visibility pop
