#include "drivers/zmq/old_wire.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace oslo::messaging::zmq {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using views = std::vector<std::string_view>;

std::string error_of(const views& v) {
  const auto r = read_old_frames(v);
  return r ? "no error" : r.error().message();
}

TEST(zmq_old_wire, a_message_has_five_frames) {
  const views in{"", "1.0", "1", "an-id", "[{}, {}]"};
  const auto m = read_old_frames(in).value();
  EXPECT_EQ(m.type, old_type::call);
  EXPECT_EQ(m.id, "an-id");
  EXPECT_EQ(m.body, "[{}, {}]");
  EXPECT_THAT(write_old_frames(old_type::notification, "i", "b"),
              ElementsAre("", "1.0", "4", "i", "b"));
}

TEST(zmq_old_wire, an_acknowledgement_has_no_body) {
  EXPECT_EQ(read_old_frames(views{"", "1.0", "6", "i"}).value().type, old_type::ack);
  EXPECT_THAT(error_of({"", "1.0", "6", "i", ""}), HasSubstr("type 6"));
  EXPECT_THAT(error_of({"", "1.0", "1", "i"}), HasSubstr("4 frames"));
}

TEST(zmq_old_wire, what_is_wrong_is_named) {
  EXPECT_THAT(error_of({}), HasSubstr("0 frames"));
  EXPECT_THAT(error_of({"", "1.0", "1", "i", "b", "c"}), HasSubstr("6 frames"));
  EXPECT_THAT(error_of({"x", "1.0", "1", "i", "b"}), HasSubstr("first frame"));
  EXPECT_THAT(error_of({"", "2.0", "1", "i", "b"}), HasSubstr("version"));
  for (const auto type : {"", "0", "7", "11", "x"})
    EXPECT_THAT(error_of({"", "1.0", type, "i", "b"}), HasSubstr("type")) << type;
  EXPECT_THAT(error_of({"", "1.0", "1", "", "b"}), HasSubstr("id has 0 bytes"));
  const std::string longest(256, 'i');
  EXPECT_THAT(error_of({"", "1.0", "1", longest, "b"}), HasSubstr("id has 256 bytes"));
}

TEST(zmq_old_wire, a_request_is_a_list_of_context_and_message) {
  const auto r =
      read_old_request(R"([{"user": "ada"}, {"method": "m", "a\u0062": 1, "method": "n"}])")
          .value();
  EXPECT_EQ(r.ctxt, (context{{"user", "ada"}}));
  ASSERT_EQ(r.fields.size(), 2u);
  EXPECT_EQ(r.fields[0].key, "method");
  EXPECT_EQ(r.fields[0].json, R"("n")") << "of equal keys the last one";
  EXPECT_EQ(r.fields[1].key, "ab");
  EXPECT_EQ(read_old_request("[null, {}]").value().ctxt, context{});
}

TEST(zmq_old_wire, a_request_that_is_none_is_refused) {
  for (const auto* const text :
       {"", "[", "{}", "[]", "[{}]", "[{}, 1]", "[1, {}]", "[{}, {}, 3]", "[{}, {}] x", "[{},{]"}) {
    const auto r = read_old_request(text);
    ASSERT_FALSE(r) << text;
    EXPECT_EQ(r.error().code(), errc::malformed_message) << text;
  }
}

TEST(zmq_old_wire, a_context_in_the_message_goes_where_these_peers_look) {
  EXPECT_EQ(
      write_old_request(R"({"method": "m", "_context_a": 1, "_context_b": 2})", context{{"b", 3}}),
      R"([{"a": 1, "b": 3}, {"method": "m"}])");
  EXPECT_THROW(write_old_request("[]", {}), messaging_error);
}

TEST(zmq_old_wire, a_reply_is_a_list_of_result_and_failure) {
  EXPECT_EQ(write_old_reply({R"({"a": 1})", std::nullopt}), R"([{"a": 1}, null])");
  EXPECT_EQ(read_old_reply(R"([{"a": 1}, null])").value().result, R"({"a": 1})");
  EXPECT_EQ(read_old_reply(R"([1, ""])").value().result, "1");
}

TEST(zmq_old_wire, a_failure_goes_there_and_back) {
  remote_failure f;
  f.type = "KeyError";
  f.module = "builtins";
  f.message = "'k'";
  const auto r = read_old_reply(write_old_reply({"null", f}));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code(), errc::remote_error);
  ASSERT_NE(r.error().remote(), nullptr);
  EXPECT_EQ(r.error().remote()->type, "KeyError");
}

TEST(zmq_old_wire, a_reply_that_is_none_is_refused) {
  for (const auto* const text : {"", "[]", "[1]", "{}", "[1, null, 2]", "[1, null"}) {
    const auto r = read_old_reply(text);
    ASSERT_FALSE(r) << text;
    EXPECT_EQ(r.error().code(), errc::malformed_message) << text;
  }
}

}  // namespace
}  // namespace oslo::messaging::zmq
