#include <errno.h>
#include <gtest/gtest.h>

#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify.hpp>
#include <stdexcept>

#include "support/recording_driver.hpp"

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;
using strings = std::vector<std::string>;

class request_notifiers : public ::testing::Test {
 protected:
  notifier make(notifier_options o = {}) {
    o.drivers = strings{"messaging"};
    return notifier(testing::open_recording(sent), std::move(o));
  }
  static http_request get(const std::string& method = "GET") {
    http_request r{{{"REQUEST_METHOD", method},
                    {"PATH_INFO", "/v2/servers"},
                    {"wsgi.version", "1"},
                    {"Mixed", "x"}}};
    r.add_header("Host", "api.example.org");
    r.add_header("X-Auth-Token", "s3cret");
    r.add_header("User-Agent", "test");
    return r;
  }
  /// Messages so far.
  std::vector<object> messages(request_notifier& from) {
    EXPECT_TRUE(from.box().flush(20s).has_value());
    std::vector<object> out;
    for (const auto& m : sent->sent()) out.push_back(parse_json(m.message.body).get_object());
    return out;
  }
  std::shared_ptr<testing::recorder> sent = std::make_shared<testing::recorder>();
};

const object told_request{{"HTTP_HOST", "api.example.org"},
                          {"HTTP_USER_AGENT", "test"},
                          {"HTTP_X_SERVICE_NAME", "api.example.org"},
                          {"PATH_INFO", "/v2/servers"},
                          {"REQUEST_METHOD", "GET"}};

TEST_F(request_notifiers, tell_request_and_response) {
  request_notifier to(make());
  std::string seen;
  const auto answer = to.handle(get(), [&](const http_request& r) {
    seen = r.get("HTTP_X_SERVICE_NAME");
    return http_response{
        200,
        "",
        {{"Content-Type", "text/plain"}, {"Via", "a"}, {"Via", "b"}, {"X-Auth-Token", "t"}}};
  });
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(seen, "api.example.org");
  const auto all = messages(to);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].at("event_type"), "http.request");
  EXPECT_EQ(all[0].at("priority"), "INFO");
  EXPECT_EQ(all[0].at("publisher_id"), program_invocation_short_name);
  EXPECT_EQ(all[0].at("payload"), (value{{"request", told_request}}));
  EXPECT_EQ(all[1].at("event_type"), "http.response");
  EXPECT_EQ(all[1].at("payload"),
            (value{{"request", told_request},
                   {"response",
                    {{"status", "200 OK"},
                     {"headers", {{"Content-Type", "text/plain"}, {"Via", "a, b"}}}}}}));
}

struct broken : std::runtime_error {
  using runtime_error::runtime_error;
};

TEST_F(request_notifiers, tell_what_was_thrown_and_throw_it_on) {
  request_notifier to(make({.publisher_id = "api"}), {.service_name = "nova"});
  EXPECT_THROW(to.handle(get(),
                         [](const http_request&) -> http_response {
                           throw std::invalid_argument("it's bad");
                         }),
               std::invalid_argument);
  EXPECT_THROW(to.handle(get(), [](const http_request&) -> http_response { throw 5; }), int);
  auto request = told_request;
  request["HTTP_X_SERVICE_NAME"] = "nova";
  const auto all = messages(to);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[1].at("publisher_id"), "api");
  EXPECT_EQ(all[1].at("event_type"), "http.response");
  EXPECT_EQ(all[1].at("payload"),
            (value{{"request", request},
                   {"exception",
                    {{"value", "std::invalid_argument('it\\'s bad')"}, {"traceback", array{}}}}}));
  EXPECT_EQ(all[3].at("payload").at("exception").at("value"),
            "an exception that is no std::exception");
  to.on_exception(get(), {"ValueError('x')", {"  File a\n", "  File b\n"}});
  EXPECT_EQ(messages(to).back().at("payload").at("exception").at("traceback"),
            (array{"  File a\n", "  File b\n"}));
}

TEST_F(request_notifiers, leave_out_methods_in_any_case) {
  request_notifier to(make(), {.ignore_req_list = "get, PUT,"});
  int runs = 0;
  for (const char* method : {"GET", "put", "POST", "PUT"})
    to.handle(get(method), [&](const http_request&) {
      ++runs;
      return http_response{};
    });
  EXPECT_EQ(runs, 4);
  const auto all = messages(to);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].at("payload").at("request").at("REQUEST_METHOD"), "POST");
}

TEST_F(request_notifiers, do_not_tell_secrets) {
  request_notifier to(make());
  auto r = get();
  r.add_header("authorization", "Basic x");
  r.add_header("Cookie", "session=x");
  r.add_header("X_Auth-Token", "another spelling of one variable");
  r.add_header("Content-Type", "text/\xff");
  to.handle(r, [](const http_request& seen) {
    EXPECT_EQ(seen.get("HTTP_AUTHORIZATION"), "Basic x");
    return http_response{401, "Who are you?", {{"set-cookie", "session=y"}}};
  });
  EXPECT_TRUE(to.box().flush(20s).has_value());  // each has an order of its own
  request_notifier open(make(), {.hidden_headers = {}});
  open.on_request(r);
  EXPECT_TRUE(open.box().flush(20s).has_value());
  const auto all = messages(to);
  ASSERT_EQ(all.size(), 3u);
  auto request = told_request;
  request["CONTENT_TYPE"] = "text/\xef\xbf\xbd";
  EXPECT_EQ(all[1].at("payload"),
            (value{{"request", request},
                   {"response", {{"status", "401 Who are you?"}, {"headers", object{}}}}}));
  EXPECT_TRUE(all[2].at("payload").at("request").as_object().contains("HTTP_COOKIE"));
  EXPECT_FALSE(all[2].at("payload").at("request").as_object().contains("HTTP_X_AUTH_TOKEN"));
}

TEST_F(request_notifiers, do_not_fail_when_notifications_do) {
  request_notifier to(make());
  to.box().close(0ms);
  EXPECT_EQ(to.handle(get(), [](const http_request&) { return http_response{204}; }).status, 204);
  EXPECT_TRUE(sent->sent().empty());
}

TEST_F(request_notifiers, know_the_usual_reasons) {
  request_notifier to(make());
  for (const int status : {404, 599}) to.on_response({}, {status});
  const auto all = messages(to);
  EXPECT_EQ(all.at(0).at("payload").at("response").at("status"), "404 Not Found");
  EXPECT_EQ(all.at(1).at("payload").at("response").at("status"), "599");
}

}  // namespace
}  // namespace oslo::messaging::notify
