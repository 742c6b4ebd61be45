// Which exceptions of a program travel as themselves.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::rpc {

/// What of an exception travels besides its class.
struct exception_values {
  std::string message;  ///< the text of the exception
  array args{};         ///< positional arguments of the Python class; empty: the message alone
  object kwargs{};      ///< keyword arguments
};

/// Pairs of a Python class and a C++ type, for both directions: a client (`client_options`) throws
/// the C++ type for a peer's class, a server (`server_options`) sends the class for the C++ type.
/// One table can serve both.
///
///     class not_found : public remote_error { using remote_error::remote_error; };
///     auto known = std::make_shared<rpc::exception_table>();
///     known->add<not_found>("nova.exception", "InstanceNotFound");
///
/// Nothing that is not in the table is ever mapped: the caller gets `remote_error`. A client can
/// narrow that further by module (`client_options::allowed_remote_exmods`). `try_call` returns the
/// peer's words unchanged; only `result::value` throws by the table.
///
/// The module `exceptions`, which Python 2 has, is the same as `builtins`.
///
/// Thread safety: fill it before it is given away; const members from any thread.
class exception_table {
 public:
  /// `E` is made from a `failure` (types derived from `remote_error`, which keep all that came) or
  /// else from the message; on the way out it is its `what()`. Throws `configuration_error` when
  /// the class has a type already.
  template <class E>
  requires std::derived_from<E, std::exception> exception_table& add(std::string module,
                                                                     std::string type) {
    return add<E>(
        std::move(module), std::move(type),
        [](const remote_error& e) {
          if constexpr (std::is_constructible_v<E, const failure&>)
            return E(e.failure());
          else
            return E(e.message());
        },
        [](const E& e) { return exception_values{e.what()}; });
  }

  /// The same with functions: `from_peer` makes an `E` from a `const remote_error&` (when that
  /// throws, the caller gets the `remote_error`), `to_peer` the `exception_values` of a
  /// `const E&`.
  template <class E, class From, class To>
  exception_table& add(std::string module, std::string type, From from_peer, To to_peer) {
    return add_erased(
        std::move(module), std::move(type), raising<E>(std::move(from_peer)),
        [to_peer = std::move(to_peer)](const std::exception_ptr& error, exception_values& values) {
          try {
            std::rethrow_exception(error);
          } catch (const E& e) {
            values = to_peer(e);
            return true;
          } catch (...) {
            return false;
          }
        });
  }

  /// The exceptions of oslo.messaging itself, which a server raises too: NoSuchMethod as
  /// `no_such_method`, MessagingTimeout as `messaging_timeout`, and so on. Their code stays
  /// `errc::remote_error`.
  exception_table& add_library_errors();

  /// The entries of these modules and of builtins alone.
  exception_table only(const std::vector<std::string>& modules) const;

  /// For a client: the failure, which throws the type of its class when there is one.
  failure translate(failure f) const;

  /// For a server: what to send for an exception. The entries are asked in the order in which they
  /// were added, so add a derived type before its base. False when there is no entry.
  bool describe(const std::exception_ptr& error, remote_failure& out) const;

 private:
  using raiser = std::function<void(const failure&)>;
  using matcher = std::function<bool(const std::exception_ptr&, exception_values&)>;
  struct entry {
    std::string module, type;
    raiser raise;
    matcher match;  // empty: one direction only
  };

  template <class E, class From>
  static raiser raising(From from_peer) {
    return [from_peer = std::move(from_peer)](const failure& f) {
      auto made = [&]() -> std::exception_ptr {
        try {
          return std::make_exception_ptr(E(from_peer(remote_error(f))));
        } catch (...) {
          return nullptr;
        }
      }();
      if (made) std::rethrow_exception(std::move(made));
    };
  }
  template <class E>
  void add_library_error(const char* module, const char* type);
  exception_table& add_erased(std::string module, std::string type, raiser raise, matcher match);
  const entry* find(std::string_view module, std::string_view type) const noexcept;

  std::vector<entry> entries_;
};

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
