#include <gtest/gtest.h>

#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/notify/httplib_middleware.hpp>
#include <thread>

#include "support/recording_driver.hpp"

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;
using strings = std::vector<std::string>;

class httplib_middleware : public ::testing::Test {
 protected:
  void SetUp() override {
    notify_requests(server, to, std::move(own));
    server.Get("/hello", [](const httplib::Request&, httplib::Response& res) {
      res.set_content("hi", "text/plain");
    });
    server.Get("/throw", [](const httplib::Request&, httplib::Response&) {
      throw std::runtime_error("broken");
    });
    port = server.bind_to_any_port("127.0.0.1");
    ASSERT_GT(port, 0);
    thread = std::jthread([this] { server.listen_after_bind(); });
    // It takes connections from the bind on. Each test makes a request, so that it runs when it is
    // stopped.
  }
  void TearDown() override {
    server.stop();
    thread.join();
  }
  /// "event payload" of what was told; the server has answered by then.
  std::vector<std::pair<std::string, value>> told() {
    EXPECT_TRUE(to->box().flush(20s).has_value());
    std::vector<std::pair<std::string, value>> out;
    for (const auto& m : sent->sent()) {
      const auto message = parse_json(m.message.body);
      out.emplace_back(message.at("event_type").as_string().c_str(), message.at("payload"));
    }
    return out;
  }

  std::shared_ptr<testing::recorder> sent = std::make_shared<testing::recorder>();
  std::shared_ptr<request_notifier> to = std::make_shared<request_notifier>(
      notifier(testing::open_recording(sent), {.drivers = {{"messagingv2"}}}),
      request_notifier_options{.ignore_req_list = "HEAD"});
  httplib_handlers own;
  httplib::Server server;
  int port = 0;
  std::jthread thread;
};

TEST_F(httplib_middleware, tells_requests_and_responses) {
  httplib::Client client("127.0.0.1", port);
  const auto answer = client.Get("/hello?a=1", {{"X-Auth-Token", "s3cret"}, {"X-Trace", "t"}});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->body, "hi");
  const auto all = told();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].first, "http.request");
  const auto& request = all[0].second.at("request").as_object();
  EXPECT_EQ(request.at("REQUEST_METHOD"), "GET");
  EXPECT_EQ(request.at("PATH_INFO"), "/hello");
  EXPECT_EQ(request.at("QUERY_STRING"), "a=1");
  EXPECT_EQ(request.at("SERVER_PROTOCOL"), "HTTP/1.1");
  EXPECT_EQ(request.at("SERVER_PORT").as_string(), std::to_string(port));
  EXPECT_EQ(request.at("REMOTE_ADDR"), "127.0.0.1");
  EXPECT_EQ(request.at("HTTP_X_TRACE"), "t");
  EXPECT_EQ(request.at("HTTP_X_SERVICE_NAME"), request.at("HTTP_HOST"));
  EXPECT_FALSE(request.contains("HTTP_X_AUTH_TOKEN"));
  EXPECT_FALSE(request.contains("HTTP_REMOTE_ADDR"));
  EXPECT_EQ(all[1].first, "http.response");
  EXPECT_EQ(all[1].second.at("request"), all[0].second.at("request"));
  EXPECT_EQ(all[1].second.at("response").at("status"), "200 OK");
  EXPECT_EQ(all[1].second.at("response").at("headers").at("Content-Type"), "text/plain");
}

TEST_F(httplib_middleware, tells_what_a_handler_threw) {
  httplib::Client client("127.0.0.1", port);
  const auto answer = client.Get("/throw");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 500);
  EXPECT_EQ(answer->get_header_value("EXCEPTION_WHAT"), "broken");
  const auto all = told();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].first, "http.response");
  EXPECT_EQ(all[1].second.at("exception").at("value"), "std::runtime_error('broken')");
  EXPECT_FALSE(all[1].second.as_object().contains("response"));
}

TEST_F(httplib_middleware, tells_a_missing_page_and_leaves_out_ignored_methods) {
  httplib::Client client("127.0.0.1", port);
  client.set_keep_alive(true);
  ASSERT_TRUE(client.Get("/nowhere"));
  ASSERT_TRUE(client.Head("/hello"));
  ASSERT_TRUE(client.Get("/hello"));
  strings statuses;
  for (const auto& [event, payload] : told())
    if (event == "http.response")
      statuses.emplace_back(payload.at("response").at("status").as_string().c_str());
  EXPECT_EQ(statuses, (strings{"404 Not Found", "200 OK"}));
}

class httplib_middleware_with_handlers : public httplib_middleware {
 protected:
  httplib_middleware_with_handlers() {
    using response = httplib::Server::HandlerResponse;
    own.pre_routing = [](const httplib::Request& req, httplib::Response& res) {
      if (req.path != "/blocked") return response::Unhandled;
      res.status = 403;
      return response::Handled;
    };
    own.post_routing = [](const httplib::Request&, httplib::Response& res) {
      res.set_header("X-Mine", "1");
    };
    own.exception = [](const httplib::Request&, httplib::Response& res, std::exception_ptr) {
      res.status = 503;
    };
  }
};

TEST_F(httplib_middleware_with_handlers, calls_those_of_the_application) {
  httplib::Client client("127.0.0.1", port);
  EXPECT_EQ(client.Get("/blocked")->status, 403);
  EXPECT_EQ(client.Get("/throw")->status, 503);
  EXPECT_EQ(client.Get("/hello")->get_header_value("X-Mine"), "1");
  const auto all = told();
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all[1].second.at("response").at("status"), "403 Forbidden");
  EXPECT_EQ(all[5].second.at("response").at("headers").at("X-Mine"), "1");
}

}  // namespace
}  // namespace oslo::messaging::notify
