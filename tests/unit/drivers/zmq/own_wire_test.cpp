#include "drivers/zmq/own_wire.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace oslo::messaging::zmq {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using views = std::vector<std::string_view>;

std::string error_of(const views& v) {
  const auto r = read_own_frames(v);
  return r ? "no error" : r.error().message();
}

TEST(zmq_own_wire, a_message_has_six_frames) {
  EXPECT_THAT(write_own_frames(verb::request, "i", "h", "b"),
              ElementsAre("", "oslo-cpp-1", "Q", "i", "h", "b"));
  const views in{"", "oslo-cpp-1", "Q", "i", "h", "b"};
  const auto m = read_own_frames(in).value();
  EXPECT_EQ(m.what, verb::request);
  EXPECT_EQ(m.id, "i");
  EXPECT_EQ(m.head, "h");
  EXPECT_EQ(m.body, "b");
}

TEST(zmq_own_wire, what_is_wrong_is_named) {
  EXPECT_THAT(error_of({"", "oslo-cpp-1", "Q", "i", "h"}), HasSubstr("5 frames"));
  EXPECT_THAT(error_of({"x", "oslo-cpp-1", "Q", "i", "h", "b"}), HasSubstr("first frame"));
  EXPECT_THAT(error_of({"", "oslo-cpp-2", "Q", "i", "h", "b"}), HasSubstr("version"));
  EXPECT_THAT(error_of({"", "oslo-cpp-1", "z", "i", "h", "b"}), HasSubstr("verb"));
  EXPECT_THAT(error_of({"", "oslo-cpp-1", "QQ", "i", "h", "b"}), HasSubstr("verb"));
  const std::string longest(65, 'i');
  EXPECT_THAT(error_of({"", "oslo-cpp-1", "Q", longest, "h", "b"}), HasSubstr("id has 65 bytes"));
}

TEST(zmq_own_wire, a_greeting_says_who_listens) {
  const greeting g{"server-id",
                   {{1, subscription::service::rpc, "openstack", "topic", "s\"1", ""},
                    {2, subscription::service::notification, "x", "n.info", "", "pool"}}};
  const auto back = read_greeting(write_greeting(g)).value();
  EXPECT_EQ(back.server, g.server);
  EXPECT_EQ(back.all, g.all);
}

TEST(zmq_own_wire, a_greeting_that_is_none_is_refused) {
  for (const auto* const text :
       {"", "{}", "[]", "[1]", R"(["s", 1])", R"(["s", []])", R"(["s", [1]])",
        R"(["s", [-1, "rpc", "", "", "", ""]])", R"(["s", [1, "x", "", "", "", ""]])",
        R"(["s", [4294967296, "rpc", "", "", "", ""]])", R"(["s", [1, "rpc", "", "", ""]])"}) {
    const auto r = read_greeting(text);
    ASSERT_FALSE(r) << text;
    EXPECT_EQ(r.error().code(), errc::malformed_message) << text;
  }
}

TEST(zmq_own_wire, the_head_of_a_request_goes_there_and_back) {
  request_head h{.subscription = 7, .turn = 3, .tell_taken = true, .again = true, .requeues = 2};
  EXPECT_EQ(read_request_head(write_request_head(h)).value(), h);
  h.left = std::chrono::milliseconds(1'500);
  h.headers = {{"traceparent", "00-a-b-01"}, {"x", "line\nbreak"}};
  EXPECT_EQ(read_request_head(write_request_head(h)).value(), h);
}

TEST(zmq_own_wire, a_head_that_is_none_is_refused) {
  for (const auto* const text : {"", "1", "1 2 3", "a b c d e", "99999999999 0 0 0 0 0"}) {
    EXPECT_FALSE(read_request_head(text)) << text;
    EXPECT_FALSE(read_turn(std::string(text) + " 5 6 7 8")) << text;
  }
}

TEST(zmq_own_wire, a_turn_goes_there_and_back) {
  const turn_head t{1, 2, 3};
  EXPECT_EQ(read_turn(write_turn(t)).value(), t);
  EXPECT_EQ(read_number("12"), 12u);
  for (const auto* const text : {"", "-1", "x", "1 ", "4294967296"})
    EXPECT_EQ(read_number(text), std::nullopt) << text;
}

TEST(zmq_own_wire, what_is_given_back_says_by_whom) {
  for (const bool again : {false, true}) {
    const returned_head h{7, 2, again};
    EXPECT_EQ(read_returned(write_returned(h)).value(), h);
  }
  for (const auto* const text : {"", "7", "7 2", "7 2 2", "7 2 0 0"})
    EXPECT_EQ(read_returned(text).error().code(), errc::malformed_message) << text;
}

}  // namespace
}  // namespace oslo::messaging::zmq
