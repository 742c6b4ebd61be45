#include "protocol/amqp091/field_table.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "protocol/amqp091/codec.hpp"
#include "support/amqp_script.hpp"

using namespace amqp_script;

namespace {

std::string written(const field_table& t) {
  std::string out;
  writer{out}.table(t);
  return out;
}

std::string entries(const field_table& t) {
  std::string out;
  writer{out}.table_entries(t);
  return out;
}

field_table read(std::string_view data) {
  reader in{data};
  field_table t = in.table();
  in.finish();
  return t;
}

std::string fault(std::string_view data) {
  try {
    read(data);
    return "none";
  } catch (const violation& v) {
    return std::to_string(v.code()) + " " + v.text();
  }
}

TEST(amqp_field_table, keeps_order_and_replaces_in_place) {
  field_table t{{"b", 1}, {"a", 2}};
  t.set("c", 3);
  t.set("b", "new");
  ASSERT_EQ(t.entries().size(), 3u);
  EXPECT_EQ(t.entries()[0].first, "b");
  EXPECT_EQ(*t.find("b")->as_string(), "new");
  EXPECT_EQ(t.find("nope"), nullptr);
  EXPECT_EQ(t, (field_table{{"b", "new"}, {"a", 2}, {"c", 3}}));
  EXPECT_NE(t, (field_table{{"a", 2}, {"b", "new"}, {"c", 3}}));
}

struct sample {
  const char* what;
  field_value value;
  const char* encoded;
};

class amqp_every_type : public testing::TestWithParam<sample> {};

TEST_P(amqp_every_type, is_written_and_read_back) {
  const field_table t{{"k", GetParam().value}};
  EXPECT_EQ(entries(t), bytes("01\"k\"") + bytes(GetParam().encoded));
  EXPECT_EQ(read(written(t)), t);
}

INSTANTIATE_TEST_SUITE_P(
    FieldTable, amqp_every_type,
    testing::Values(
        sample{"void", {}, "'V'"}, sample{"true", true, "'t' 01"}, sample{"false", false, "'t' 00"},
        sample{"int8", std::int8_t{-2}, "'b' fe"}, sample{"uint8", std::uint8_t{200}, "'B' c8"},
        sample{"int16", std::int16_t{-2}, "'s' fffe"},
        sample{"uint16", std::uint16_t{65535}, "'u' ffff"},
        sample{"int32", std::int32_t{1800000}, "'I' 001b7740"},
        sample{"int32min", std::numeric_limits<std::int32_t>::min(), "'I' 80000000"},
        sample{"uint32", std::uint32_t{0xdeadbeef}, "'i' deadbeef"},
        sample{"int64", std::int64_t{-1}, "'l' ffffffffffffffff"},
        sample{"float", 1.5f, "'f' 3fc00000"}, sample{"double", -2.0, "'d' c000000000000000"},
        sample{"decimal", decimal{2, -314}, "'D' 02 fffffec6"},
        sample{"string", "quorum", "'S' 00000006\"quorum\""}, sample{"empty", "", "'S' 00000000"},
        sample{"bytes", byte_array{"ab"}, "'x' 00000002\"ab\""},
        sample{"timestamp", timestamp{1700000000}, "'T' 000000006553f100"},
        sample{"array", field_array{1, "x", field_array{}},
               "'A' 00000010 'I'00000001 'S'00000001\"x\" 'A'00000000"},
        sample{"table", field_table{{"a", true}}, "'F' 00000004 01\"a\"'t'01"},
        sample{"emptytable", field_table{}, "'F' 00000000"}),
    [](const auto& one) { return one.param.what; });

TEST(amqp_field_table, letter_of_rabbitmq_for_longs_is_read) {
  EXPECT_EQ(read(bytes("0000000b 01\"k\" 'L' 8000000000000000")),
            (field_table{{"k", std::numeric_limits<std::int64_t>::min()}}));
}

TEST(amqp_field_table, equal_keys_are_all_kept) {
  const field_table t = read(bytes("00000006 01\"k\"'V' 01\"k\"'V'"));
  EXPECT_EQ(t.entries().size(), 2u);
}

TEST(amqp_field_table, broken_bytes_are_syntax_errors) {
  EXPECT_EQ(fault(bytes("00000005 01\"k\"'V'")),
            "502 a long string of 5 bytes does not fit in the 3 that are left");
  EXPECT_EQ(fault(bytes("00000002 05\"k\"")),
            "502 a short string of 5 bytes does not fit in the 1 that are left");
  EXPECT_EQ(fault(bytes("00000002 01\"k\"")),
            "502 an octet of 1 bytes does not fit in the 0 that are left");
  EXPECT_EQ(fault(bytes("00000003 01\"k\"'Z'")), "502 a table has a value of the unknown type 90");
  // An inner length must not reach beyond its table, even where the frame has more bytes.
  EXPECT_EQ(fault(bytes("00000008 01\"k\"'S' 00000005\"a\" \"bcde\"")),
            "502 a long string of 5 bytes does not fit in the 1 that are left");
  EXPECT_EQ(fault(bytes("00000007 01\"k\"'A' 00000002'I' 00000001")),
            "502 a long string of 2 bytes does not fit in the 0 that are left");
}

/// Tables inside each other, `depth` in all.
field_table nested(int depth) {
  field_table t;
  for (int i = 1; i < depth; ++i) t = field_table{{"k", t}};
  return t;
}

/// The same bytes without our own encoder, which has the same limit.
std::string nested_bytes(int depth, bool arrays) {
  std::string inner;
  for (int i = 1; i < depth; ++i) {
    std::string outer;
    writer w{outer};
    const bool outermost = i == depth - 1;
    if (!arrays || outermost) w.shortstr("k");
    w.u8(static_cast<std::uint8_t>(arrays ? 'A' : 'F'));
    w.longstr(inner);
    inner = outer;
  }
  std::string all;
  writer{all}.longstr(inner);
  return all;
}

TEST(amqp_field_table, depth_is_limited) {
  EXPECT_EQ(read(nested_bytes(32, false)), nested(32));
  EXPECT_EQ(written(nested(32)), nested_bytes(32, false));
  EXPECT_THROW(written(nested(33)), std::length_error);
  for (const int depth : {33, 1000, 10000})
    for (const bool arrays : {false, true})
      EXPECT_EQ(fault(nested_bytes(depth, arrays)),
                "502 a table is nested more than 32 levels deep")
          << depth;
  EXPECT_EQ(fault(nested_bytes(32, true)), "none");
}

TEST(amqp_field_table, number_of_values_is_limited_in_the_whole_tree) {
  const auto with = [](std::size_t outer, std::size_t inner) {
    return field_table{{"a", field_array(outer - 2)}, {"b", field_array(inner)}};
  };
  const field_table most = with(max_table_elements / 2, max_table_elements / 2);
  EXPECT_EQ(read(written(most)), most);
  EXPECT_THROW(written(with(max_table_elements / 2, max_table_elements / 2 + 1)),
               std::length_error);
  std::string array(max_table_elements, 'V');
  std::string body;
  writer w{body};
  w.shortstr("a");
  w.u8('A');
  w.longstr(array);
  std::string all;
  writer{all}.longstr(body);
  EXPECT_EQ(fault(all), "502 a table has more than 16384 values");
}

}  // namespace
