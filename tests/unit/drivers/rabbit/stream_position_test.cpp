#include "drivers/rabbit/stream_position.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

namespace oslo::messaging::rabbit {
namespace {

using amqp091::field_table;
using amqp091::field_value;
using amqp091::timestamp;

constexpr std::int64_t highest = INT64_MAX;

stream_position::wall_clock::time_point at(std::int64_t ms) {
  return stream_position::wall_clock::time_point(std::chrono::milliseconds(ms));
}

TEST(rabbit_stream_position, a_new_reader_gets_what_is_published_from_then_on) {
  EXPECT_EQ(stream_position().argument(), field_value("next"));
}

TEST(rabbit_stream_position, goes_on_behind_the_last_message) {
  stream_position p;
  p.received(41);
  EXPECT_EQ(p.argument(), field_value(std::int64_t{42}));
  p.reading_since(at(5'000));
  EXPECT_EQ(p.argument(), field_value(std::int64_t{42}));
  p.back_to(40);
  EXPECT_EQ(p.argument(), field_value(std::int64_t{40}));
}

/// Else what comes while the first connection is away would be missed.
TEST(rabbit_stream_position, before_the_first_message_goes_by_the_clock) {
  stream_position p;
  p.reading_since(at(5'999));
  EXPECT_EQ(p.argument(), field_value(timestamp{5}));
  p.reading_since(at(9'000));  // connected again, and still without a message
  EXPECT_EQ(p.argument(), field_value(timestamp{5}));
  p.received(0);
  EXPECT_EQ(p.argument(), field_value(std::int64_t{1}));
}

TEST(rabbit_stream_position, offsets_of_another_stream_are_forgotten) {
  stream_position p;
  p.received(41);
  p.restart(at(7'000));
  EXPECT_EQ(p.argument(), field_value(timestamp{7}));
  p.received(0);
  EXPECT_EQ(p.argument(), field_value(std::int64_t{1}));
}

TEST(rabbit_stream_position, in_doubt_the_first_message_tells) {
  stream_position p;
  p.received(41);
  p.doubt(at(7'000));
  EXPECT_EQ(p.argument(), field_value(timestamp{7}));
  EXPECT_FALSE(p.goes_back(42)) << "nothing is missing";
  EXPECT_TRUE(p.goes_back(43));
  EXPECT_EQ(p.argument(), field_value(std::int64_t{42}));
  EXPECT_FALSE(p.goes_back(99)) << "it is known now";
  p.doubt(at(8'000));
  EXPECT_FALSE(p.goes_back(0));
  p.received(0);
  EXPECT_FALSE(p.goes_back(99)) << "of another stream";
  EXPECT_EQ(p.argument(), field_value(std::int64_t{1}));
}

TEST(rabbit_stream_position, reads_what_the_broker_says_and_no_nonsense) {
  const auto offset = [](field_value v) {
    const field_table headers{{"x-stream-offset", std::move(v)}};
    return stream_position::offset_in(&headers);
  };
  EXPECT_EQ(offset(std::int64_t{41}), 41u);
  EXPECT_EQ(offset(std::int32_t{0}), 0u);
  EXPECT_EQ(offset(highest - 1), static_cast<std::uint64_t>(highest - 1));
  EXPECT_EQ(offset(highest), std::nullopt) << "there is none behind it";
  EXPECT_EQ(offset(std::int64_t{-1}), std::nullopt);
  EXPECT_EQ(offset(true), std::nullopt);
  EXPECT_EQ(offset("41"), std::nullopt);
  const field_table none;
  EXPECT_EQ(stream_position::offset_in(&none), std::nullopt);
  EXPECT_EQ(stream_position::offset_in(nullptr), std::nullopt);
}

}  // namespace
}  // namespace oslo::messaging::rabbit
