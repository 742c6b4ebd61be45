// Choosing the exception class that a peer sees.
#pragma once

#include <oslo/messaging/error.hpp>
#include <oslo/messaging/value.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace oslo::messaging::rpc {

/// Thrown by a handler, it arrives at a Python caller as `module.type` when the caller allows that
/// module (allowed_remote_exmods; `builtins` always is), else as RemoteError; a C++ caller gets
/// `remote_error`.
///
/// Other exceptions of handlers travel like this:
///
/// | thrown                                         | class the peer sees                      |
/// |------------------------------------------------|------------------------------------------|
/// | `rpc::remote_exception`                        | as it says                               |
/// | `remote_error` (of a call the handler made)    | what the third party raised              |
/// | `messaging_error` with `malformed_message`, such as an argument of the wrong type |
/// builtins.TypeError | | `messaging_error` with `invalid_argument`      | builtins.ValueError | |
/// any other `messaging_error`                    | oslo's class for it (MessagingTimeout …) | |
/// `std::invalid_argument`, `std::domain_error`   | builtins.ValueError                      | |
/// `std::out_of_range`                            | builtins.IndexError                      | |
/// `std::overflow_error`                          | builtins.OverflowError                   | |
/// `std::bad_alloc`                               | builtins.MemoryError                     | |
/// any other `std::exception`                     | builtins.RuntimeError                    | |
/// anything else                                  | builtins.RuntimeError: unknown exception |
class remote_exception : public std::runtime_error {
 public:
  /// `args` are the positional arguments of the Python class; empty: the message alone.
  remote_exception(std::string module, std::string type, const std::string& message,
                   array args = {}, object kwargs = {})
      : std::runtime_error(message),
        module_(std::move(module)),
        type_(std::move(type)),
        args_(std::move(args)),
        kwargs_(std::move(kwargs)) {}

  const std::string& module() const noexcept { return module_; }
  const std::string& type() const noexcept { return type_; }
  const array& args() const noexcept { return args_; }
  const object& kwargs() const noexcept { return kwargs_; }

 private:
  std::string module_;
  std::string type_;
  array args_;
  object kwargs_;
};

}  // namespace oslo::messaging::rpc
