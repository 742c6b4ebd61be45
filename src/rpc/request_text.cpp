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

std::optional<failure> not_arguments(std::string_view args_json) {
  if (json_reader(args_json).peek() == json_reader::kind::object) return std::nullopt;
  return failure(errc::invalid_argument, "Arguments are a JSON object of names and values.");
}

namespace {

void append_translated(std::string& out, std::string_view json, unique_function<value(value)>& by) {
  json_reader in(json);
  auto digits = json_reader::digits::kept;
  value v = in.read_value(digits);
  in.finish();
  if (digits != json_reader::digits::lost) return write_json(out, by(std::move(v)));
  const value translated = by(v);
  if (translated == v)
    out += json;
  else
    write_json(out, translated);
}

}  // namespace

std::string translate(std::string_view json, unique_function<value(value)> by) {
  std::string out;
  append_translated(out, json, by);
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
    append_translated(out, in.skip_value(), each);
  }
  in.finish();
  out += '}';
  return out;
}

}  // namespace oslo::messaging::rpc
