// Requests to a server of cpp-httplib as notifications. Not part of notify.hpp; needs cpp-httplib,
// and nothing of the library is built with it.
#pragma once

#include <httplib.h>

#include <exception>
#include <memory>
#include <oslo/messaging/notify/request_notifier.hpp>
#include <string>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// Handlers of the application that a server has room for only once.
struct httplib_handlers {
  httplib::Server::HandlerWithResponse pre_routing{};  ///< run before the request is told of
  httplib::Server::Handler post_routing{};             ///< run before the response is told of
  /// None: status 500 with header EXCEPTION_WHAT, as the server does by itself.
  httplib::Server::ExceptionHandler exception{};
};

namespace detail {

/// The request that a thread of the server is busy with, when it is told.
struct httplib_request {
  const void* of = nullptr;
  http_request told{};
  bool failed = false;
};
inline thread_local httplib_request httplib_current;

inline http_request to_http_request(const httplib::Request& r) {
  http_request out;
  const auto query = r.target.find('?');
  out.environ = {
      {"REQUEST_METHOD", r.method},
      {"SCRIPT_NAME", ""},
      {"PATH_INFO", r.path},
      {"QUERY_STRING", query == std::string::npos ? std::string() : r.target.substr(query + 1)},
      {"SERVER_PROTOCOL", r.version},
      {"SERVER_NAME", r.local_addr},
      {"SERVER_PORT", std::to_string(r.local_port)},
      {"REMOTE_ADDR", r.remote_addr},
      {"REMOTE_PORT", std::to_string(r.remote_port)}};
  for (const auto& [name, value] : r.headers)  // the server itself adds four that are none
    if (name != "REMOTE_ADDR" && name != "REMOTE_PORT" && name != "LOCAL_ADDR" &&
        name != "LOCAL_PORT")
      out.add_header(name, value);
  return out;
}

}  // namespace detail

/// Tells of every request to `server` through `to`, as `request_notifier` says. Takes the server's
/// handlers for pre-routing, post-routing and exceptions; those of the application go into `own`.
/// To be called before the server listens. The application does not see HTTP_X_SERVICE_NAME.
///
/// A response is told when its headers are complete, before its body is sent; one to a request that
/// could not be read is not.
inline void notify_requests(httplib::Server& server, std::shared_ptr<request_notifier> to,
                            httplib_handlers own = {}) {
  using httplib::Request;
  using httplib::Response;
  server.set_pre_routing_handler(
      [to, mine = std::move(own.pre_routing)](const Request& req, Response& res) {
        auto& current = detail::httplib_current;
        current.of = nullptr;
        if (!to->ignores(req.method)) {
          current = {&req, detail::to_http_request(req)};
          to->on_request(current.told);
        }
        return mine ? mine(req, res) : httplib::Server::HandlerResponse::Unhandled;
      });
  server.set_exception_handler([to, mine = std::move(own.exception)](
                                   const Request& req, Response& res, std::exception_ptr thrown) {
    auto& current = detail::httplib_current;
    if (current.of == &req) {
      current.failed = true;
      to->on_exception(current.told, http_exception::of(thrown));
    }
    if (mine) return mine(req, res, thrown);
    res.status = 500;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& e) {
      res.set_header("EXCEPTION_WHAT", e.what());
    } catch (...) {
      res.set_header("EXCEPTION_WHAT", "UNKNOWN");
    }
  });
  server.set_post_routing_handler(
      [to = std::move(to), mine = std::move(own.post_routing)](const Request& req, Response& res) {
        if (mine) mine(req, res);
        auto& current = detail::httplib_current;
        if (current.of != &req) return;
        current.of = nullptr;
        if (current.failed) return;
        http_response answer{res.status, res.reason};
        for (const auto& [name, value] : res.headers) answer.headers.emplace_back(name, value);
        to->on_response(current.told, answer);
      });
}

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
