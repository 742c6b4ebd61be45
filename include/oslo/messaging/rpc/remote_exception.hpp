// Choosing the exception class that a peer sees.
#pragma once

#include <oslo/messaging/error.hpp>
#include <oslo/messaging/value.hpp>
#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc {

/// Thrown by a handler, it arrives at a Python caller as `module.type` when the caller allows that
/// module (allowed_remote_exmods; `builtins` always is), else as RemoteError; a C++ caller gets
/// `remote_error`, or the type of its `exception_table`.
///
/// Other exceptions of handlers travel like this:
///
/// - a type of the server's `exception_table`: as it says;
/// - `remote_error` (of a call that the handler made) and types derived from it: as what the third
///   party raised, also when a Python peer had marked its class with `_Remote`;
/// - `messaging_error` with `malformed_message`, such as an argument of the wrong type:
///   builtins.TypeError; with `invalid_argument`: builtins.ValueError;
/// - `server_listen_error`, `task_timeout` and any other `messaging_error`: oslo's class for it,
///   such as oslo_messaging.exceptions.MessagingTimeout;
/// - `std::invalid_argument`, `std::domain_error`: builtins.ValueError;
/// - `std::out_of_range`: builtins.IndexError;
/// - `std::overflow_error`: builtins.OverflowError;
/// - `std::bad_alloc`: builtins.MemoryError;
/// - any other `std::exception`: builtins.RuntimeError;
/// - anything else: builtins.RuntimeError with the text "unknown exception".
class remote_exception : public std::runtime_error {
 public:
  /// `args` are the positional arguments of the Python class; empty: the message alone. `where` is
  /// for full tracebacks.
  remote_exception(std::string module, std::string type, const std::string& message,
                   array args = {}, object kwargs = {},
                   std::source_location where = std::source_location::current())
      : std::runtime_error(message),
        module_(std::move(module)),
        type_(std::move(type)),
        args_(std::move(args)),
        kwargs_(std::move(kwargs)),
        where_(where) {}

  /// What it was made with.
  const std::string& module() const noexcept { return module_; }
  /// The name of the class, without its module.
  const std::string& type() const noexcept { return type_; }
  /// The positional arguments that it was made with.
  const array& args() const noexcept { return args_; }
  /// The keyword arguments that it was made with.
  const object& kwargs() const noexcept { return kwargs_; }
  /// Where it was made.
  const std::source_location& where() const noexcept { return where_; }

 private:
  std::string module_;
  std::string type_;
  array args_;
  object kwargs_;
  std::source_location where_;
};

/// What a server sends as traceback of an exception. Python callers see it below the message.
enum class tracebacks {
  /// Nothing, also not of a peer whose failure passes through.
  off,
  /// One line an exception, as Python ends its tracebacks ("ValueError: no such flavor"); those
  /// nested in it (`std::throw_with_nested`) first. Of a peer's traceback the last line.
  brief,
  /// In addition the method and the server, the C++ type, and the file, line and function of
  /// exceptions that carry them: `remote_exception`, and those thrown by BOOST_THROW_EXCEPTION. A
  /// peer's traceback as it is. C++ has no stack of a caught exception, so there are no frames.
  full,
};

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
