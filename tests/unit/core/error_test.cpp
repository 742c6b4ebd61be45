#include <gtest/gtest.h>

#include <oslo/messaging/error.hpp>
#include <set>

namespace oslo::messaging {
namespace {

constexpr errc first = errc::invalid_argument, last = errc::handler_failed;

template <class F>
void for_each_code(F&& f) {
  for (int c = static_cast<int>(first); c <= static_cast<int>(last); ++c) f(static_cast<errc>(c));
}

failure sample(errc c) {
  return c == errc::remote_error ? failure{remote_failure{.type = "T"}} : failure{c, "text"};
}

TEST(errc, each_has_a_message_of_its_own) {
  std::set<std::string> seen;
  for_each_code([&](errc c) {
    const std::error_code code = c;
    EXPECT_STREQ(code.category().name(), "oslo.messaging");
    EXPECT_NE(code.message(), "unknown error");
    EXPECT_TRUE(seen.insert(code.message()).second) << code.message();
  });
  EXPECT_EQ(error_category().message(static_cast<int>(last) + 1), "unknown error");
  EXPECT_EQ(error_category().message(0), "unknown error");
  EXPECT_EQ(std::error_code(errc::timed_out), make_error_code(errc::timed_out));
}

TEST(errc, tells_what_may_be_retried) {
  std::set<errc> retryable;
  for_each_code([&](errc c) {
    if (is_retryable(c)) retryable.insert(c);
  });
  EXPECT_EQ(retryable, (std::set<errc>{errc::not_sent, errc::outcome_unknown, errc::undeliverable,
                                       errc::rejected, errc::timed_out, errc::limit_exceeded,
                                       errc::unreachable}));
}

TEST(failure, holds_code_message_and_detail) {
  const failure plain{errc::timed_out, "The call timed out."};
  EXPECT_EQ(plain.code(), errc::timed_out);
  EXPECT_EQ(plain.message(), "The call timed out.");
  EXPECT_EQ(plain.remote(), nullptr);
  EXPECT_EQ(plain.detail().stage, "");
  const failure detailed{errc::timed_out,
                         "x",
                         {.stage = "sent",
                          .destination = "openstack/topic",
                          .broker = "h:5672",
                          .elapsed = std::chrono::milliseconds{5}}};
  const failure copy = detailed;  // NOLINT: the copy is the test
  EXPECT_EQ(copy.detail().stage, "sent");
  EXPECT_EQ(copy.detail().destination, "openstack/topic");
  EXPECT_EQ(copy.detail().broker, "h:5672");
  EXPECT_EQ(copy.detail().elapsed.count(), 5);
  EXPECT_EQ(&copy.message(), &detailed.message());
}

TEST(failure, of_a_peer_reads_like_oslo) {
  const auto message = [](remote_failure r) { return failure{std::move(r)}.message(); };
  EXPECT_EQ(message({.type = "ValueError", .message = "bad"}), "Remote error: ValueError bad");
  EXPECT_EQ(message({.type = "E", .message = "m", .traceback = {"one\n", "two\n"}}),
            "Remote error: E m\none\ntwo\n");
  EXPECT_EQ(message({.type = "E", .message = "m\n", .traceback = {"one", "two"}}),
            "Remote error: E m\none\ntwo");
}

TEST(failure, of_a_peer_keeps_the_exception) {
  const failure f{remote_failure{.type = "ValueError",
                                 .module = "builtins",
                                 .message = "bad",
                                 .traceback = {"tb\n"},
                                 .args_json = "[\"bad\"]"}};
  EXPECT_EQ(f.code(), errc::remote_error);
  ASSERT_NE(f.remote(), nullptr);
  EXPECT_EQ(f.remote()->args_json, "[\"bad\"]");
  EXPECT_EQ(f.remote()->kwargs_json, "{}");
  try {
    throw_failure(f);
  } catch (const remote_error& e) {
    EXPECT_EQ(e.type(), "ValueError");
    EXPECT_EQ(e.module(), "builtins");
    EXPECT_EQ(e.message(), "bad");
    EXPECT_EQ(e.traceback(), std::vector<std::string>{"tb\n"});
    EXPECT_EQ(e.code(), errc::remote_error);
  }
}

template <class Exception>
void expect_throws(errc c) {
  try {
    throw_failure(sample(c));
  } catch (const messaging_error& e) {
    EXPECT_EQ(typeid(e), typeid(Exception)) << make_error_code(c).message();
    EXPECT_EQ(e.code(), c);
    EXPECT_EQ(e.failure().code(), c);
    EXPECT_EQ(e.what(), e.failure().message());
  }
}

TEST(throw_failure, chooses_the_class_of_the_code) {
  expect_throws<configuration_error>(errc::invalid_argument);
  expect_throws<configuration_error>(errc::invalid_config);
  expect_throws<invalid_transport_url>(errc::invalid_url);
  expect_throws<driver_load_failure>(errc::unknown_driver);
  expect_throws<invalid_target>(errc::invalid_target);
  expect_throws<messaging_timeout>(errc::timed_out);
  for (const errc c : {errc::not_sent, errc::outcome_unknown, errc::rejected, errc::unreachable})
    expect_throws<message_delivery_failure>(c);
  expect_throws<message_undeliverable>(errc::undeliverable);
  for (const errc c : {errc::authentication_failed, errc::access_refused, errc::vhost_not_found,
                       errc::precondition_failed, errc::broker_error, errc::tls_failed})
    expect_throws<client_send_error>(c);
  expect_throws<rpc_version_cap_error>(errc::version_cap);
  expect_throws<no_such_method>(errc::no_such_method);
  expect_throws<unsupported_version>(errc::unsupported_version);
  expect_throws<remote_error>(errc::remote_error);
  expect_throws<operation_cancelled>(errc::cancelled);
  expect_throws<closed_error>(errc::closed);
  expect_throws<limit_exceeded>(errc::limit_exceeded);
  expect_throws<would_deadlock>(errc::would_deadlock);
  for (const errc c : {errc::not_supported, errc::protocol_error, errc::malformed_message,
                       errc::serialization_failed, errc::handler_failed})
    expect_throws<messaging_error>(c);
}

TEST(failure, knows_what_it_is_about) {
  const failure plain(errc::undeliverable, "returned");
  EXPECT_EQ(plain.subject().exchange, "");
  const auto f = plain.about({.exchange = "x", .routing_key = "k"});
  EXPECT_EQ(f.message(), "returned");
  EXPECT_EQ(f.subject().routing_key, "k");
  try {
    throw_failure(f);
  } catch (const message_undeliverable& e) {
    EXPECT_EQ(e.exchange(), "x");
    EXPECT_EQ(e.routing_key(), "k");
    EXPECT_EQ(e.message_id(), "");
  }
  try {
    throw_failure(failure(errc::invalid_target, "bad"));
  } catch (const invalid_target& e) {
    EXPECT_EQ(e.target(), nullptr);
  }
}

TEST(throw_failure, every_code_throws_something) {
  for_each_code([](errc c) { EXPECT_THROW(throw_failure(sample(c)), messaging_error); });
}

TEST(result, value_throws_the_matching_exception) {
  const result<int> good = 5;
  EXPECT_EQ(good.value(), 5);
  const result<int> bad = failure{errc::timed_out, "late"};
  EXPECT_THROW((void)bad.value(), messaging_timeout);
  EXPECT_EQ(bad.error().message(), "late");
  const result<void> none = failure{errc::closed, "gone"};
  EXPECT_THROW(none.value(), messaging_error);
}

static_assert(std::is_base_of_v<rpc_dispatcher_error, no_such_method>);
static_assert(std::is_base_of_v<rpc_dispatcher_error, unsupported_version>);
static_assert(std::is_base_of_v<messaging_server_error, rpc_dispatcher_error>);
static_assert(std::is_base_of_v<messaging_server_error, server_listen_error>);
static_assert(std::is_base_of_v<messaging_server_error, task_timeout>);
static_assert(std::is_base_of_v<messaging_error, remote_error>);

}  // namespace
}  // namespace oslo::messaging
