#include "rpc/request_text.hpp"

#include <oslo/messaging/json.hpp>

namespace oslo::messaging::rpc {

std::string request_text(std::string_view method, std::string_view args_json,
                         const std::optional<std::string>& namespace_,
                         const std::optional<std::string>& version) {
  std::string out;
  out.reserve(64 + method.size() + args_json.size() + (namespace_ ? namespace_->size() : 0));
  out += "{\"method\": ";
  write_json(out, method);
  out += ", \"args\": ";
  out += args_json;
  if (namespace_) {
    out += ", \"namespace\": ";
    write_json(out, *namespace_);
  }
  if (version) {
    out += ", \"version\": ";
    write_json(out, *version);
  }
  out += '}';
  return out;
}

std::string translate_arguments(std::string_view args_json, unique_function<value(value)> each) {
  std::string out = "{";
  json_reader in(args_json);
  in.begin_object();
  std::string key;
  while (in.next_key(key)) {
    if (out.size() > 1) out += ", ";
    write_json(out, key);
    out += ": ";
    write_json(out, each(in.read_value()));
  }
  in.finish();
  out += '}';
  return out;
}

}  // namespace oslo::messaging::rpc
