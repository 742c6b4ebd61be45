#include <errno.h>

#include <algorithm>
#include <boost/core/demangle.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify/request_notifier.hpp>
#include <typeinfo>

#include "core/text.hpp"
#include "core/utf8.hpp"

namespace oslo::messaging::notify {
namespace {

constexpr std::string_view never_told = "HTTP_X_AUTH_TOKEN";

char upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string in_capitals(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), upper);
  return out;
}

/// The variable of a header, as PEP 3333 has it.
std::string variable_of(std::string_view header) {
  auto out = in_capitals(header);
  std::replace(out.begin(), out.end(), '-', '_');
  return out == "CONTENT_TYPE" || out == "CONTENT_LENGTH" ? out : "HTTP_" + out;
}

/// As Python's str.isupper: variables of the server itself are in lower case.
bool is_upper(std::string_view text) noexcept {
  const auto is = [](char from, char to) {
    return [from, to](char c) { return c >= from && c <= to; };
  };
  return std::any_of(text.begin(), text.end(), is('A', 'Z')) &&
         std::none_of(text.begin(), text.end(), is('a', 'z'));
}

std::string_view usual_reason(int status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Request Entity Too Large";
    case 414: return "Request-URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Requested Range Not Satisfiable";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "";
  }
}

void write_text(std::string& out, std::string_view text) {
  write_json(out, to_valid_utf8(text));
}

/// Python's repr of an exception with one text.
std::string repr(const std::string& type, std::string_view text) {
  std::string out = type + "('";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "')";
}

notifier named(const notifier& n) {
  if (n.publisher_id()) return n;
  return n.prepare({.publisher_id = std::string(program_invocation_short_name)});
}

}  // namespace

void http_request::add_header(std::string_view name, std::string_view value) {
  auto& text = environ[variable_of(name)];
  if (!text.empty()) text += ", ";
  text += value;
}

std::string_view http_request::get(std::string_view variable) const {
  const auto it = environ.find(std::string(variable));
  return it == environ.end() ? std::string_view() : std::string_view(it->second);
}

http_exception http_exception::of(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& e) {
    return {repr(boost::core::demangle(typeid(e).name()), e.what()), {}};
  } catch (...) {
    return {"an exception that is no std::exception", {}};
  }
}

request_notifier::request_notifier(const notifier& through, request_notifier_options o)
    : service_name_(std::move(o.service_name)), box_(named(through), std::move(o.outbox)) {
  std::string_view rest = o.ignore_req_list;
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto method = in_capitals(strip(rest.substr(0, comma)));
    if (!method.empty()) ignored_.insert(method);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  for (const auto& header : o.hidden_headers) {
    hidden_.insert(variable_of(header));
    hidden_answers_.insert(ascii_lower(header));
  }
  hidden_.emplace(never_told);
  hidden_answers_.emplace("x-auth-token");
}

bool request_notifier::ignores(std::string_view method) const {
  return ignored_.contains(in_capitals(method));
}

void request_notifier::write_request(std::string& out, const http_request& r) const {
  out += "{\"request\": {";
  bool first = true;
  for (const auto& [key, value] : r.environ) {
    if (!is_upper(key) || hidden_.contains(key)) continue;
    if (!std::exchange(first, false)) out += ", ";
    write_text(out, key);
    out += ": ";
    write_text(out, value);
  }
  out += '}';
}

void request_notifier::on_request(http_request& r) noexcept {
  try {
    r.environ["HTTP_X_SERVICE_NAME"] =
        service_name_.empty() ? std::string(r.get("HTTP_HOST")) : service_name_;
    std::string payload;
    write_request(payload, r);
    (void)box_.post_json(priority::info, {}, "http.request", payload + "}");
  } catch (...) {  // a request does not fail because of its notification
  }
}

void request_notifier::on_response(const http_request& r, const http_response& answer) noexcept {
  try {
    std::map<std::string, std::string> headers;
    for (const auto& [name, value] : answer.headers) {
      if (hidden_answers_.contains(ascii_lower(name))) continue;
      auto& text = headers[name];
      if (!text.empty()) text += ", ";
      text += value;
    }
    const std::string reason =
        answer.reason.empty() ? std::string(usual_reason(answer.status)) : answer.reason;
    std::string payload;
    write_request(payload, r);
    payload += ", \"response\": {\"status\": ";
    write_text(payload, std::to_string(answer.status) + (reason.empty() ? "" : " " + reason));
    payload += ", \"headers\": {";
    bool first = true;
    for (const auto& [name, value] : headers) {
      if (!std::exchange(first, false)) payload += ", ";
      write_text(payload, name);
      payload += ": ";
      write_text(payload, value);
    }
    (void)box_.post_json(priority::info, {}, "http.response", payload + "}}}");
  } catch (...) {  // likewise
  }
}

void request_notifier::on_exception(const http_request& r, const http_exception& thrown) noexcept {
  try {
    std::string payload;
    write_request(payload, r);
    payload += ", \"exception\": {\"value\": ";
    write_text(payload, thrown.value);
    payload += ", \"traceback\": [";
    bool first = true;
    for (const auto& line : thrown.traceback) {
      if (!std::exchange(first, false)) payload += ", ";
      write_text(payload, line);
    }
    (void)box_.post_json(priority::info, {}, "http.response", payload + "]}}");
  } catch (...) {  // likewise
  }
}

}  // namespace oslo::messaging::notify
