#include <algorithm>
#include <iterator>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/rpc/exception_table.hpp>

#include "rpc/exceptions.hpp"

namespace oslo::messaging::rpc {
namespace {

constexpr std::string_view builtins = "builtins";

/// Python 2 has its builtin exceptions in another module (docs/wire/rpc.md, RPC-23).
std::string_view normal_module(std::string_view name) noexcept {
  return name == "exceptions" ? builtins : name;
}

}  // namespace

exception_table& exception_table::add_erased(std::string module, std::string type, raiser raise,
                                             matcher match) {
  module = normal_module(module);
  if (find(module, type) != nullptr)
    throw configuration_error({errc::invalid_argument, "The exception class " + module + "." +
                                                           type + " has a C++ type already."});
  entries_.push_back({std::move(module), std::move(type), std::move(raise), std::move(match)});
  return *this;
}

template <class E>
void exception_table::add_library_error(const char* module, const char* type) {
  // One direction: what travels for a type of the library is fixed.
  add_erased(module, type, raising<E>([](const remote_error& e) { return E(e.failure()); }), {});
}

exception_table& exception_table::add_library_errors() {
  constexpr const char* exceptions = "oslo_messaging.exceptions";
  constexpr const char* transport = "oslo_messaging.transport";
  constexpr const char* client = "oslo_messaging.rpc.client";
  constexpr const char* server = "oslo_messaging.server";
  constexpr const char* dispatcher = "oslo_messaging.rpc.dispatcher";
  add_library_error<messaging_error>(exceptions, "MessagingException");
  add_library_error<messaging_timeout>(exceptions, "MessagingTimeout");
  add_library_error<message_delivery_failure>(exceptions, "MessageDeliveryFailure");
  add_library_error<message_undeliverable>(exceptions, "MessageUndeliverable");
  add_library_error<invalid_target>(exceptions, "InvalidTarget");
  add_library_error<invalid_transport_url>(transport, "InvalidTransportURL");
  add_library_error<driver_load_failure>(transport, "DriverLoadFailure");
  add_library_error<rpc_version_cap_error>(client, "RPCVersionCapError");
  add_library_error<client_send_error>(client, "ClientSendError");
  add_library_error<remote_error>(client, "RemoteError");
  add_library_error<messaging_server_error>(server, "MessagingServerError");
  add_library_error<server_listen_error>(server, "ServerListenError");
  add_library_error<task_timeout>(server, "TaskTimeout");
  add_library_error<rpc_dispatcher_error>(dispatcher, "RPCDispatcherError");
  add_library_error<no_such_method>(dispatcher, "NoSuchMethod");
  add_library_error<unsupported_version>(dispatcher, "UnsupportedVersion");
  return *this;
}

exception_table exception_table::only(const std::vector<std::string>& modules) const {
  exception_table kept;
  std::copy_if(entries_.begin(), entries_.end(), std::back_inserter(kept.entries_),
               [&](const entry& e) {
                 return e.module == builtins ||
                        std::find(modules.begin(), modules.end(), e.module) != modules.end();
               });
  return kept;
}

failure exception_table::translate(failure f) const {
  const auto* remote = f.remote();
  const auto* known = remote != nullptr ? find(remote->module, remote->type) : nullptr;
  return known != nullptr ? f.throwing(known->raise) : f;
}

bool exception_table::describe(const std::exception_ptr& error, remote_failure& out) const {
  exception_values values;
  for (const auto& e : entries_) {
    if (!e.match || !e.match(error, values)) continue;
    out = make_failure(e.module, e.type, values.message);
    if (!values.args.empty()) out.args_json = to_json(value(std::move(values.args)));
    out.kwargs_json = to_json(value(std::move(values.kwargs)));
    return true;
  }
  return false;
}

const exception_table::entry* exception_table::find(std::string_view module,
                                                    std::string_view type) const noexcept {
  module = normal_module(module);
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const entry& e) {
    return e.type == type && e.module == module;
  });
  return at != entries_.end() ? &*at : nullptr;
}

}  // namespace oslo::messaging::rpc
