// HTTP requests as notifications, for any HTTP library. httplib_middleware.hpp has it for
// cpp-httplib.
#pragma once

#include <exception>
#include <map>
#include <oslo/messaging/notify/notifier.hpp>
#include <oslo/messaging/notify/outbox.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// A request, with the variables of CGI and WSGI: REQUEST_METHOD, PATH_INFO, QUERY_STRING,
/// HTTP_HOST, HTTP_USER_AGENT, REMOTE_ADDR ... Bytes that are not UTF-8 are replaced.
struct http_request {
  std::map<std::string, std::string> environ{};  ///< names in capitals; all that is told

  /// Adds a header: "User-Agent" becomes HTTP_USER_AGENT, "Content-Type" CONTENT_TYPE. The values
  /// of one that comes several times are joined by ", ".
  void add_header(std::string_view name, std::string_view value);
  /// The variable, or an empty text.
  std::string_view get(std::string_view variable) const;
};

/// What the application answered.
struct http_response {
  int status = 200;      ///< 100 to 599
  std::string reason{};  ///< empty: the usual one of the status
  std::vector<std::pair<std::string, std::string>> headers{};  ///< as they were sent
};

/// An exception that an application threw instead of a response.
struct http_exception {
  std::string value{};                   ///< "std::runtime_error('broken')"
  std::vector<std::string> traceback{};  ///< line by line

  /// What is known of an exception of C++, which keeps no traceback. Precondition: not null.
  static http_exception of(const std::exception_ptr& thrown);
};

/// What is told of requests.
struct request_notifier_options {
  /// Goes into variable HTTP_X_SERVICE_NAME. Empty: the host that the request names.
  std::string service_name{};
  /// Methods that are not told, separated by commas, in any case: "get, HEAD".
  std::string ignore_req_list{};
  /// Headers that are not told, in any case. X-Auth-Token never is, whatever stands here. (oslo
  /// tells all the others, credentials included.)
  std::set<std::string> hidden_headers{"Authorization",   "Proxy-Authorization", "Cookie",
                                       "Set-Cookie",      "X-Subject-Token",     "X-Service-Token",
                                       "X-Storage-Token", "X-Auth-Key"};
  /// As of `outbox`; with rule `wait` requests wait for it.
  outbox_options outbox = [] {
    outbox_options o;
    o.name = "requests";
    o.rule = when_full::drop_oldest;
    o.linger = std::chrono::seconds(1);
    return o;
  }();
};

/// Tells of each request and of what became of it, as oslo's RequestNotifier
/// does: "http.request" with {"request": variables}, then "http.response" with {"request":
/// variables, "response": {"status": "200 OK", "headers": {...}}} or {"request": variables,
/// "exception": {"value": text, "traceback": [...]}}; both of priority info, without a context.
/// Variables are those in capitals. See docs/notifications-sending.md.
///
/// Without a publisher id of the notifier it is the name of the program. Nothing throws, except the
/// constructor (as `outbox`); a request never fails because of a notification.
/// Thread safety: all members from any thread.
class request_notifier {
 public:
  /// Throws as the constructor of `outbox`.
  explicit request_notifier(const notifier& through, request_notifier_options o = {});

  /// True for methods that are not told; the functions below do not ask.
  bool ignores(std::string_view method) const;
  /// Tells that it has come, and adds HTTP_X_SERVICE_NAME to it.
  void on_request(http_request& r) noexcept;
  /// Tells what it was answered.
  void on_response(const http_request& r, const http_response& answer) noexcept;
  /// Tells that the application threw.
  void on_exception(const http_request& r, const http_exception& thrown) noexcept;

  /// The whole as middleware: tells, runs `app(r)`, which returns an `http_response`, and tells
  /// what it answered or threw. What it throws is thrown on.
  template <class App>
  http_response handle(http_request r, App&& app) {
    if (ignores(r.get("REQUEST_METHOD"))) return std::forward<App>(app)(r);
    on_request(r);
    http_response answer;
    try {
      answer = std::forward<App>(app)(std::as_const(r));
    } catch (...) {
      on_exception(r, http_exception::of(std::current_exception()));
      throw;
    }
    on_response(r, answer);
    return answer;
  }

  /// Where what was told waits: to count, flush and close.
  outbox& box() noexcept { return box_; }

 private:
  void write_request(std::string& out, const http_request& r) const;

  std::string service_name_;
  std::set<std::string, std::less<>> ignored_;         ///< in capitals
  std::set<std::string, std::less<>> hidden_;          ///< variables
  std::set<std::string, std::less<>> hidden_answers_;  ///< headers in lower case
  outbox box_;
};

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
