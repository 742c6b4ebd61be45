#include "rpc/exceptions.hpp"

#include <new>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/rpc/remote_exception.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/utf8.hpp"

namespace oslo::messaging::rpc {
namespace {

struct python_class {
  const char* module;
  const char* name;
};

python_class class_of(errc code) noexcept {
  switch (code) {
    case errc::malformed_message: return {"builtins", "TypeError"};
    case errc::invalid_argument: return {"builtins", "ValueError"};
    case errc::timed_out: return {"oslo_messaging.exceptions", "MessagingTimeout"};
    case errc::not_sent:
    case errc::outcome_unknown:
    case errc::rejected:
    case errc::unreachable: return {"oslo_messaging.exceptions", "MessageDeliveryFailure"};
    case errc::undeliverable: return {"oslo_messaging.exceptions", "MessageUndeliverable"};
    case errc::invalid_target: return {"oslo_messaging.exceptions", "InvalidTarget"};
    case errc::invalid_url: return {"oslo_messaging.transport", "InvalidTransportURL"};
    case errc::unknown_driver: return {"oslo_messaging.transport", "DriverLoadFailure"};
    case errc::version_cap: return {"oslo_messaging.rpc.client", "RPCVersionCapError"};
    case errc::authentication_failed:
    case errc::access_refused:
    case errc::vhost_not_found:
    case errc::precondition_failed:
    case errc::broker_error:
    case errc::tls_failed: return {"oslo_messaging.rpc.client", "ClientSendError"};
    case errc::no_such_method: return {"oslo_messaging.rpc.dispatcher", "NoSuchMethod"};
    case errc::unsupported_version: return {"oslo_messaging.rpc.dispatcher", "UnsupportedVersion"};
    default: return {"oslo_messaging.exceptions", "MessagingException"};
  }
}

remote_failure make(python_class c, std::string_view message) {
  return make_failure(c.module, c.name, message);
}

/// A class that crossed a hop carries a mark, which does not travel (docs/wire/rpc.md, RPC-22).
void remove_hop_mark(std::string& name) {
  constexpr std::string_view mark = "_Remote";
  if (name.ends_with(mark)) name.resize(name.size() - mark.size());
}

/// `error` is the exception that is being handled.
remote_failure describe_current(const std::exception_ptr& error, const exception_table* table) {
  remote_failure own;
  try {
    throw;
  } catch (const remote_exception& e) {
    own = make_failure(e.module(), e.type(), e.what());
    if (!e.args().empty()) own.args_json = to_json(value(e.args()));
    own.kwargs_json = to_json(value(e.kwargs()));
    return own;
  } catch (const messaging_error& e) {
    if (const auto* remote = e.failure().remote()) {
      own = *remote;
      own.json.clear();  // what is added here counts
      remove_hop_mark(own.type);
      remove_hop_mark(own.module);
      return own;
    }
  } catch (...) {
  }
  if (table != nullptr && table->describe(error, own)) return own;
  try {
    throw;
  } catch (const server_listen_error& e) {
    return make({"oslo_messaging.server", "ServerListenError"}, e.what());
  } catch (const task_timeout& e) {
    return make({"oslo_messaging.server", "TaskTimeout"}, e.what());
  } catch (const messaging_error& e) {
    return make(class_of(e.failure().code()), e.what());
  } catch (const std::invalid_argument& e) {
    return make({"builtins", "ValueError"}, e.what());
  } catch (const std::domain_error& e) {
    return make({"builtins", "ValueError"}, e.what());
  } catch (const std::out_of_range& e) {
    return make({"builtins", "IndexError"}, e.what());
  } catch (const std::overflow_error& e) {
    return make({"builtins", "OverflowError"}, e.what());
  } catch (const std::bad_alloc&) {
    return make({"builtins", "MemoryError"}, "out of memory");
  } catch (const std::exception& e) {
    return make({"builtins", "RuntimeError"}, e.what());
  } catch (...) {
    return make({"builtins", "RuntimeError"}, "unknown exception");
  }
}

}  // namespace

remote_failure make_failure(std::string_view module, std::string_view type,
                            std::string_view message) {
  remote_failure f;
  f.module = to_valid_utf8(module, surrogates::take);
  f.type = to_valid_utf8(type, surrogates::take);
  f.message = to_valid_utf8(message, surrogates::take);
  f.args_json = "[";
  write_json(f.args_json, f.message);
  f.args_json += ']';
  return f;
}

std::string_view class_name(errc code) noexcept {
  return class_of(code).name;
}

remote_failure describe(const std::exception_ptr& error, const exception_table* table) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (...) {
    try {
      return describe_current(error, table);
    } catch (...) {
      // The exception's own values cannot be written as JSON (or memory is short).
      remote_failure f;
      f.module = "builtins";
      f.type = "RuntimeError";
      f.message = "error";
      return f;
    }
  }
}

}  // namespace oslo::messaging::rpc
