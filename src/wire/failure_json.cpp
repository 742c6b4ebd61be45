#include "wire/failure_json.hpp"

#include <oslo/messaging/json.hpp>
#include <string_view>
#include <utility>

#include "core/json/json_text.hpp"

namespace oslo::messaging::wire {
namespace {

using kind = json_reader::kind;

constexpr std::string_view remote_suffix = "_Remote";

void append_text(std::string& out, std::string_view text) {
  out += '"';
  json_text::escape(out, text, json_text::invalid_text::replace);
  out += '"';
}

/// `json` when it holds exactly one value of that kind, else `fallback`.
std::string_view checked(std::string_view json, kind expected, std::string_view fallback) {
  try {
    json_reader r(json);
    if (r.peek() != expected) return fallback;
    const std::string_view text = r.skip_value();
    r.finish();
    return text;
  } catch (const messaging_error&) {
    return fallback;
  }
}

void require_object(std::string_view json) {
  try {
    json_reader r(json);
    r.begin_object();
    std::string_view key;
    std::string scratch;
    while (r.next_key(key, scratch)) r.skip_value();
    r.finish();
  } catch (const messaging_error& e) {
    throw_failure({errc::serialization_failed,
                   std::string("The failure to be sent is not a JSON object: ") + e.what()});
  }
}

std::string read_text(json_reader& r) {
  std::string text;
  switch (r.peek()) {
    case kind::string: r.read_string(text); break;
    case kind::null: r.read_null(); break;
    default: text = r.skip_value();
  }
  return text;
}

std::vector<std::string> read_lines(json_reader& r) {
  std::vector<std::string> lines;
  if (r.peek() == kind::array) {
    r.begin_array();
    while (r.next_element()) lines.push_back(read_text(r));
  } else if (std::string text = read_text(r); !text.empty()) {
    lines.push_back(std::move(text));
  }
  return lines;
}

void read_json_of(json_reader& r, kind expected, std::string& out) {
  const bool fits = r.peek() == expected;
  const std::string_view text = r.skip_value();
  if (fits) out = text;
}

remote_failure parse(std::string_view text) {
  remote_failure f;
  json_reader r(text);
  r.begin_object();
  std::string_view key;
  std::string scratch;
  while (r.next_key(key, scratch)) {
    if (key == "class")
      f.type = read_text(r);
    else if (key == "module")
      f.module = read_text(r);
    else if (key == "message")
      f.message = read_text(r);
    else if (key == "tb")
      f.traceback = read_lines(r);
    else if (key == "args")
      read_json_of(r, kind::array, f.args_json);
    else if (key == "kwargs")
      read_json_of(r, kind::object, f.kwargs_json);
    else
      r.skip_value();
  }
  r.finish();
  if (f.module == "exceptions") f.module = "builtins";
  return f;
}

}  // namespace

void write_failure(std::string& out, const remote_failure& f) {
  if (!f.json.empty()) {
    require_object(f.json);
    out += f.json;
    return;
  }
  std::string_view type = f.type, module = f.module;
  if (type.ends_with(remote_suffix) && module.ends_with(remote_suffix)) {
    type.remove_suffix(remote_suffix.size());
    module.remove_suffix(remote_suffix.size());
  }
  out += R"({"class": )";
  append_text(out, type);
  out += R"(, "module": )";
  append_text(out, module);
  out += R"(, "message": )";
  append_text(out, f.message);
  out += R"(, "tb": [)";
  for (std::size_t i = 0; i < f.traceback.size(); ++i) {
    if (i != 0) out += ", ";
    append_text(out, f.traceback[i]);
  }
  out += R"(], "args": )";
  out += checked(f.args_json, kind::array, "[]");
  out += R"(, "kwargs": )";
  out += checked(f.kwargs_json, kind::object, "{}");
  out += '}';
}

remote_failure read_failure(std::string text) {
  remote_failure f;
  try {
    f = parse(text);
    f.json = std::move(text);
  } catch (const messaging_error&) {
    f.message = std::move(text);
  }
  return f;
}

}  // namespace oslo::messaging::wire
