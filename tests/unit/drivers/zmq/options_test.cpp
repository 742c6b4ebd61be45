#include "drivers/zmq/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <oslo/messaging/error.hpp>

namespace oslo::messaging::zmq {
namespace {

using testing::HasSubstr;

options read(const std::string& lines, const char* url = "zmq+redis://h/") {
  return read_options(config::parse("[oslo_messaging_zmq]\n" + lines, "f.conf"),
                      transport_url::parse(url));
}

std::string error_of(const std::string& lines, const char* url = "zmq+redis://h/") {
  try {
    read(lines, url);
  } catch (const messaging_error& e) {
    return e.what();
  }
  return "no error";
}

TEST(zmq_options, the_scheme_names_the_matchmaker) {
  EXPECT_EQ(read("").matchmaker, matchmaker_kind::redis);
  EXPECT_EQ(read("", "zmq+static://h:1/").matchmaker, matchmaker_kind::fixed);
  EXPECT_EQ(read("", "zmq+dummy://").matchmaker, matchmaker_kind::dummy);
  EXPECT_EQ(read("", "zmq+ipc://").matchmaker, matchmaker_kind::ipc);
  EXPECT_EQ(read("rpc_zmq_matchmaker = dummy\n", "zmq://").matchmaker, matchmaker_kind::dummy);
  EXPECT_THAT(error_of("", "zmq+sentinel://h/"), HasSubstr("not supported"));
  EXPECT_THAT(error_of("", "zmq+carrier://h/"), HasSubstr("no matchmaker \"carrier\""));
}

TEST(zmq_options, hosts_are_those_of_redis_or_the_servers) {
  const auto redis = read("", "zmq+redis://:secret@h1:1,[::1]/");
  ASSERT_EQ(redis.hosts.size(), 2u);
  EXPECT_EQ(to_string(redis.hosts[0]), "h1:1");
  EXPECT_EQ(redis.hosts[0].password, "secret");
  EXPECT_EQ(to_string(redis.hosts[1]), "[::1]:6379");
  EXPECT_EQ(to_string(read("", "zmq+redis://").hosts.at(0)), "127.0.0.1:6379");
  EXPECT_THAT(error_of("", "zmq+static://h/"), HasSubstr("no port"));
  EXPECT_THAT(error_of("", "zmq+static://"), HasSubstr("no host"));
}

TEST(zmq_options, what_is_not_there_is_refused_by_name) {
  for (const auto* const name : {"use_pub_sub", "use_router_proxy", "use_dynamic_connections"})
    EXPECT_THAT(error_of(std::string(name) + " = true\n"), HasSubstr(name));
  EXPECT_THAT(error_of("rpc_zmq_serialization = msgpack\n"), HasSubstr("msgpack"));
}

TEST(zmq_options, closing_never_waits_for_ever) {
  EXPECT_EQ(read("").linger, std::chrono::seconds(1));
  EXPECT_EQ(read("zmq_linger = 0\n").linger, std::chrono::seconds(0));
  EXPECT_EQ(read("zmq_linger = 5\n").linger, std::chrono::seconds(5));
}

TEST(zmq_options, ports_have_to_be_a_range) {
  EXPECT_THAT(error_of("rpc_zmq_min_port = 50000\nrpc_zmq_max_port = 50000\n"),
              HasSubstr("rpc_zmq_max_port"));
}

TEST(zmq_options, keys_of_curve_have_to_be_there) {
  EXPECT_THAT(error_of("cpp_curve_secret_key_file = /does/not/exist\n"),
              HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace oslo::messaging::zmq
