#include <gtest/gtest.h>

#include <bit>
#include <boost/json/monotonic_resource.hpp>
#include <cstdint>
#include <limits>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <string>
#include <string_view>

namespace oslo::messaging {
namespace {

struct float_case {
  std::uint64_t bits;
  std::string_view text;
};
struct text_case {
  std::string_view text;
  std::string_view json;
};
#include "json_golden.inc"

template <class T>
std::string written(const T& v) {
  std::string out;
  write_json(out, v);
  return out;
}

TEST(json_writer, floats_have_the_text_of_python) {
  for (const auto& c : python_floats) {
    EXPECT_EQ(written(std::bit_cast<double>(c.bits)), c.text);
    EXPECT_EQ(to_json(value(std::bit_cast<double>(c.bits))), c.text);
  }
}

TEST(json_writer, ten_thousand_doubles_have_the_text_of_python) {
  std::uint64_t state = 0x6f736c6f, hash = 0xcbf29ce484222325;
  int done = 0;
  std::string text;
  for (int left = 10000; left > 0;) {
    std::uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    if (left % 2 == 0) z = (z & 0x800fffffffffffff) | ((1023 - 14 + (z >> 52) % 68) << 52);
    if ((z >> 52 & 0x7ff) == 0x7ff) continue;
    --left;
    text.clear();
    write_json(text, std::bit_cast<double>(z));
    text += '\n';
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    if (++done % 1000 == 0) {
      ASSERT_EQ(hash, python_double_hashes[done / 1000 - 1]) << done;
    }
    ASSERT_EQ(std::bit_cast<std::uint64_t>(json_reader(text).read_double()), z) << text;
  }
}

TEST(json_writer, texts_are_escaped_as_python_does) {
  for (const auto& c : python_texts) {
    EXPECT_EQ(written(c.text), c.json);
    EXPECT_EQ(to_json(value(boost::json::string(c.text.data(), c.text.size()))), c.json);
  }
}

TEST(json_writer, each_byte_is_escaped_alone_at_every_place_of_a_run) {
  for (unsigned c = 0; c < 0x80; ++c) {
    const std::string one = written(std::string(1, static_cast<char>(c)));
    for (std::size_t before = 0; before < 35; ++before) {
      for (const std::size_t after : {0u, 4u, 8u, 15u, 16u, 17u}) {
        const std::string text =
            std::string(before, 'a') + static_cast<char>(c) + std::string(after, 'z');
        EXPECT_EQ(written(text), '"' + std::string(before, 'a') + one.substr(1, one.size() - 2) +
                                     std::string(after, 'z') + '"');
      }
    }
  }
}

TEST(json_writer, long_texts_are_written_and_read_with_an_exception_at_any_place) {
  const std::pair<std::string, std::string> cases[] = {
      {"\"", "\\\""}, {"\\", "\\\\"}, {"\n", "\\n"}, {"\x7f", "\\u007f"}, {"\xc3\xa4", "\\u00e4"}};
  for (const auto& [raw, escaped] : cases) {
    for (std::size_t before = 0; before < 700; ++before) {
      const std::string begin(before, 'a'), end(600 + before % 67, 'z');
      const std::string text = begin + raw + end + raw;
      const std::string json = '"' + begin + escaped + end + escaped + '"';
      ASSERT_EQ(written(text), json) << before;
      ASSERT_EQ(parse_json(json), value(text)) << before;
    }
  }
  for (std::size_t before = 0; before < 700; ++before) {
    const std::string begin(before, 'a'), end(600, 'z');
    EXPECT_THROW(written(begin + '\xff' + end), messaging_error) << before;
    EXPECT_THROW(parse_json('"' + begin + '\n' + end + '"'), messaging_error) << before;
    EXPECT_THROW(parse_json('"' + begin + '\xff' + end + '"'), messaging_error) << before;
    EXPECT_THROW(parse_json('"' + begin + end), messaging_error) << before;
  }
}

TEST(json_writer, invalid_utf8_is_refused_with_its_place) {
  struct {
    std::string_view text;
    std::string_view place;
  } const cases[] = {
      {"\x80", "0"},
      {"ab\xff", "2"},
      {"\xc0\x80", "0"},
      {"\xc1\xbf", "0"},
      {"\xe0\x9f\xbf", "0"},
      {"\xf0\x8f\xbf\xbf", "0"},
      {"\xf4\x90\x80\x80", "0"},
      {"\xf5\x80\x80\x80", "0"},
      {"12345678\xc3", "8"},
      {"\xe2\x82", "0"},
      {"\xf0\x9f\x98", "0"},
      {"\xc3(", "0"},
  };
  for (const auto& c : cases) {
    try {
      written(c.text);
      ADD_FAILURE() << c.text;
    } catch (const messaging_error& e) {
      EXPECT_EQ(e.failure().code(), errc::serialization_failed);
      EXPECT_EQ(
          e.failure().message(),
          "Text cannot be written as JSON: it is not valid UTF-8 at byte " + std::string(c.place));
    }
  }
}

TEST(json_writer, each_type_is_written_as_itself) {
  EXPECT_EQ(written(nullptr), "null");
  EXPECT_EQ(written(true), "true");
  EXPECT_EQ(written(false), "false");
  EXPECT_EQ(written(-5), "-5");
  EXPECT_EQ(written(5u), "5");
  EXPECT_EQ(written(std::int8_t{-128}), "-128");
  EXPECT_EQ(written(std::uint8_t{200}), "200");
  EXPECT_EQ(written(short{7}), "7");
  EXPECT_EQ(written(7L), "7");
  EXPECT_EQ(written(7LL), "7");
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(written(0.1f), "0.1");
  EXPECT_EQ(written(16777216.0f), "16777216.0");
  EXPECT_EQ(written(std::string("s")), "\"s\"");
  EXPECT_EQ(written(boost::json::string("s")), "\"s\"");
  std::string out;
  write_json(out, "literal");  // not a bool
  const char* pointer = "pointer";
  write_json(out, pointer);
  EXPECT_EQ(out, "\"literal\"\"pointer\"");
}

template <class T>
concept writable = requires(std::string& out, T v) {
  write_json(out, v);
};
enum unscoped { zero };
static_assert(writable<long long> && writable<const char*> && writable<boost::json::string>);
static_assert(!writable<char> && !writable<char32_t> && !writable<void*> && !writable<int*> &&
              !writable<unscoped>);

TEST(json_writer, containers_have_blanks_after_comma_and_colon) {
  EXPECT_EQ(to_json(object{}), "{}");
  EXPECT_EQ(to_json(array{}), "[]");
  EXPECT_EQ(to_json(value{{"b", 1}, {"a", array{}}, {"é", {1, "x", nullptr, object{}}}}),
            R"({"b": 1, "a": [], "\u00e9": [1, "x", null, {}]})");
  EXPECT_EQ(written(object{{"k", 1.0}}), R"({"k": 1.0})");
  EXPECT_EQ(written(array{1, 2}), "[1, 2]");
}

TEST(json_writer, values_deeper_than_any_stack_are_written) {
  // In a monotonic resource, because destroying a value recurses.
  boost::json::monotonic_resource memory;
  constexpr int depth = 200'000;
  auto& v = *new (memory.allocate(sizeof(value), alignof(value))) value(&memory);
  for (int i = 0; i < depth; ++i) {
    array outer(&memory);
    outer.emplace_back(std::move(v));
    v = std::move(outer);
  }
  const std::string text = to_json(v);
  EXPECT_EQ(text, std::string(depth, '[') + "null" + std::string(depth, ']'));
}

}  // namespace
}  // namespace oslo::messaging
