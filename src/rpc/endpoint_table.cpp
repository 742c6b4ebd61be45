#include "rpc/endpoint_table.hpp"

#include <oslo/messaging/json.hpp>
#include <utility>

#include "rpc/request_text.hpp"

namespace oslo::messaging::rpc {
namespace {

[[noreturn]] void malformed(std::string text) {
  throw messaging_error({errc::malformed_message, std::move(text)});
}

/// A string or null.
std::optional<std::string> read_text(std::string_view key, std::string_view json) {
  // The text of a field is valid JSON: a string without escapes stands for itself.
  if (json.size() >= 2 && json.front() == '"' && json.back() == '"' && json.find('\\') == json.npos)
    return std::string(json.substr(1, json.size() - 2));
  json_reader in(json);
  switch (in.peek()) {
    case json_reader::kind::null: return std::nullopt;
    case json_reader::kind::string: {
      std::string out;
      in.read_string(out);
      return out;
    }
    default: malformed("The " + std::string(key) + " of the request is not a string.");
  }
}

}  // namespace

request_header request_header::read(const incoming_message& m) {
  request_header r;
  std::optional<std::string> method;
  for (const auto& field : m.fields()) {
    if (field.key == "method") {
      method = read_text(field.key, field.json);
    } else if (field.key == "args") {
      if (field.json.empty() || field.json.front() != '{')
        malformed("The args of the request are not an object.");
      r.args = field.json;
    } else if (field.key == "namespace") {
      r.namespace_ = read_text(field.key, field.json);
    } else if (field.key == "version") {
      r.version = read_text(field.key, field.json);
    }
  }
  if (!method) malformed("The request names no method.");
  r.method = std::move(*method);
  return r;
}

endpoint_table::endpoint_table(std::vector<std::shared_ptr<endpoint>> endpoints,
                               std::shared_ptr<const access_policy> policy,
                               std::shared_ptr<const serializer> translator)
    : endpoints_(std::move(endpoints)),
      policy_(policy ? std::move(policy) : default_access_policy()),
      translator_(std::move(translator)) {
  for (const auto& e : endpoints_) {
    if (!e) throw configuration_error({errc::invalid_argument, "An endpoint is null."});
    any_late_ = any_late_ || e->method_table().acknowledges_late();
  }
}

bool endpoint_table::acknowledges_late(const incoming_message& m) const noexcept {
  if (!any_late_) return false;
  try {
    return find(request_header::read(m)).acknowledged() == acknowledge_when::after_success;
  } catch (...) {
    return false;  // it will be told when it is dispatched
  }
}

const binding& endpoint_table::find(const request_header& r) const {
  bool compatible = false;
  for (const auto& e : endpoints_) {
    const auto& table = e->method_table();
    if (!table.fits(r.namespace_, r.version)) continue;
    const binding* found = table.find(r.method);
    if (found != nullptr && policy_->is_allowed(r.method, found->exposed())) return *found;
    compatible = true;
  }
  if (compatible)
    throw no_such_method(
        failure(errc::no_such_method, "Endpoint does not support RPC method " + r.method)
            .about({.method = r.method}));
  throw unsupported_version(
      failure(errc::unsupported_version, "Endpoint does not support RPC version " +
                                             r.version.value_or("None") +
                                             ". Attempted method: " + r.method)
          .about({.version = r.version, .method = r.method}));
}

std::string endpoint_table::translate_arguments(const context& ctxt, std::string_view json) const {
  return rpc::translate_arguments(
      json, [&](value v) { return translator_->deserialize_entity(ctxt, std::move(v)); });
}

std::string endpoint_table::translate_result(const context& ctxt, std::string_view json) const {
  return translate(json,
                   [&](value v) { return translator_->serialize_entity(ctxt, std::move(v)); });
}

}  // namespace oslo::messaging::rpc
