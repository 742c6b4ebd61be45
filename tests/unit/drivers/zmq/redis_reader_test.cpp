#include "drivers/zmq/redis_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace oslo::messaging::zmq {
namespace {

using kind = redis_value::kind;

TEST(zmq_redis_reader, answers_come_byte_by_byte) {
  redis_reader in;
  const std::string_view bytes = "*2\r\n$3\r\na:1\r\n*1\r\n:7\r\n";
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    ASSERT_TRUE(in.feed(bytes.substr(i, 1)));
    EXPECT_FALSE(in.next().value()) << i;
  }
  ASSERT_TRUE(in.feed("\n"));
  const auto v = in.next().value();
  ASSERT_TRUE(v);
  ASSERT_EQ(v->what, kind::list);
  ASSERT_EQ(v->items.size(), 2u);
  EXPECT_EQ(v->items[0].text, "a:1");
  EXPECT_EQ(v->items[1].items.at(0).number, 7);
}

TEST(zmq_redis_reader, each_kind_of_answer) {
  redis_reader in;
  ASSERT_TRUE(in.feed("+OK\r\n-ERR no\r\n:-3\r\n$-1\r\n*0\r\n"));
  EXPECT_EQ(in.next().value()->text, "OK");
  const auto error = in.next().value();
  EXPECT_EQ(error->what, kind::error);
  EXPECT_EQ(error->text, "ERR no");
  EXPECT_EQ(in.next().value()->number, -3);
  EXPECT_EQ(in.next().value()->what, kind::nil);
  EXPECT_EQ(in.next().value()->what, kind::list);
  EXPECT_FALSE(in.next().value());
}

TEST(zmq_redis_reader, what_is_no_answer_is_refused) {
  for (const auto* const text :
       {"HTTP/1.1 200 OK\r\n", "*1000000000\r\n", "$2000000000\r\n*\r\n", "*-5\r\n"}) {
    redis_reader in;
    if (!in.feed(text)) continue;
    const auto r = in.next();
    if (r && !*r) continue;  // it waits for the rest, of which it keeps so much at most
    EXPECT_FALSE(r) << text;
  }
  redis_reader in;
  ASSERT_TRUE(in.feed("HTTP/1.1 200 OK\r\n"));
  const auto r = in.next();
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().code(), errc::malformed_message);
}

TEST(zmq_redis_reader, a_list_without_a_bound_is_refused) {
  redis_reader in;
  ASSERT_TRUE(in.feed("*1000000000\r\n"));
  EXPECT_FALSE(in.next());
}

TEST(zmq_redis_reader, an_answer_that_does_not_end_is_refused) {
  redis_reader in;
  ASSERT_TRUE(in.feed("$500000000\r\n"));
  const std::string block(1u << 20, 'x');
  std::size_t fed = 0;
  while (fed <= redis_reader::most_unread && in.feed(block)) {
    fed += block.size();
    ASSERT_TRUE(in.next());
  }
  EXPECT_LE(fed, redis_reader::most_unread);
}

TEST(zmq_redis_reader, a_command_is_a_list_of_texts) {
  EXPECT_EQ(write_redis_command({"SADD", "k", std::string("a\0b", 3)}),
            std::string("*3\r\n$4\r\nSADD\r\n$1\r\nk\r\n$3\r\na\0b\r\n", 30));
}

}  // namespace
}  // namespace oslo::messaging::zmq
