#include <gtest/gtest.h>

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cmath>
#include <deque>
#include <map>
#include <oslo/messaging/convert.hpp>
#include <unordered_map>
#include <vector>

namespace oslo::messaging {
namespace {

enum class colour { red, green, blue };
BOOST_DESCRIBE_ENUM(colour, red, green, blue)
enum legacy { off = 0, on = 7 };
BOOST_DESCRIBE_ENUM(legacy, off, on)

struct flavor {
  std::string name = "small";
  int ram = 512;
  std::optional<double> weight;
};
BOOST_DESCRIBE_STRUCT(flavor, (), (name, ram, weight))

struct base_args {
  std::string id;
};
BOOST_DESCRIBE_STRUCT(base_args, (), (id))

struct boot_args : base_args {
  messaging::value hint;
  messaging::flavor flavor{.name = "tiny", .ram = 64, .weight = {}};
  std::vector<messaging::flavor> others{};
  std::map<std::string, std::vector<int>> ports{};
  colour paint = colour::green;
};
BOOST_DESCRIBE_STRUCT(boot_args, (base_args), (hint, flavor, others, ports, paint))

class hidden {
 public:
  int sum() const { return a_ + b_; }

 private:
  int a_ = 1, b_ = 2;
  BOOST_DESCRIBE_CLASS(hidden, (), (), (), (a_, b_))
};

struct view_only {
  std::string_view text;
  const char* more = "m";
};
BOOST_DESCRIBE_STRUCT(view_only, (), (text, more))

struct empty {};
BOOST_DESCRIBE_STRUCT(empty, (), ())

struct node {
  int id = 0;
  std::vector<node> children{};
};
BOOST_DESCRIBE_STRUCT(node, (), (id, children))

struct point {
  int x = 0, y = 0;
  bool operator==(const point&) const = default;
};

/// What its codec writes.
struct ink {
  std::string text;
  std::vector<ink> nested{};
};
/// Derives from a codec of the library, and writes something of its own.
struct blot {};

}  // namespace

template <>
struct json_codec<ink> {
  static void write(std::string& out, const ink& i) {
    out += i.text;
    for (const auto& each : i.nested) write_value(out, each);
    if (!i.nested.empty()) out += ']';
  }
};
template <>
struct json_codec<blot> : json_codec<int> {
  static void write(std::string& out, const blot&) { out += "1, 2"; }
};

template <>
struct json_codec<point> {
  static void write(std::string& out, const point& p) {
    write_value(out, std::to_string(p.x) + "x" + std::to_string(p.y));
  }
  static void read(json_reader& r, point& p) {
    const auto text = read_value<std::string>(r);
    const auto x = text.find('x');
    if (x == text.npos) conversion_failed("expected a point like 3x4");
    p = {std::stoi(text), std::stoi(text.substr(x + 1))};
  }
};

namespace {

template <class T>
std::string error_of(std::string_view text, std::string_view root = {}) {
  try {
    from_json<T>(text, root);
  } catch (const messaging_error& e) {
    EXPECT_EQ(e.failure().code(), errc::malformed_message);
    EXPECT_EQ(e.what(), e.failure().message());
    return e.failure().message();
  }
  return "no error";
}

template <class T>
void round_trip(const T& v, std::string_view text) {
  EXPECT_EQ(to_json(v), text);
  EXPECT_EQ(from_json<T>(text), v) << text;
}

TEST(convert, values_round_trip) {
  round_trip(true, "true");
  round_trip(-5, "-5");
  round_trip<std::int8_t>(-128, "-128");
  round_trip<std::uint8_t>(255, "255");
  round_trip(std::numeric_limits<std::uint64_t>::max(), "18446744073709551615");
  round_trip(1.5, "1.5");
  round_trip(0.1f, "0.1");
  round_trip(HUGE_VAL, "Infinity");
  round_trip(-HUGE_VALF, "-Infinity");
  round_trip<std::string>("h\xc3\xa9\n", R"("h\u00e9\n")");
  round_trip(std::optional<int>(), "null");
  round_trip(std::optional<int>(3), "3");
  round_trip(std::vector<int>{1, 2, 3}, "[1, 2, 3]");
  round_trip(std::vector<bool>{true, false}, "[true, false]");
  round_trip(std::deque<std::string>{}, "[]");
  round_trip(std::vector<std::vector<int>>{{}, {1}}, "[[], [1]]");
  round_trip(std::array<int, 2>{1, 2}, "[1, 2]");
  round_trip(std::pair<std::string, int>{"a", 1}, R"(["a", 1])");
  round_trip(std::tuple<int, bool, std::string>{1, true, "x"}, R"([1, true, "x"])");
  round_trip(std::tuple<>{}, "[]");
  round_trip(std::map<std::string, int>{{"a", 1}, {"b\"", 2}}, R"({"a": 1, "b\"": 2})");
  round_trip(std::unordered_map<std::string, int>{{"a", 1}}, R"({"a": 1})");
  round_trip(colour::blue, R"("blue")");
  round_trip(on, R"("on")");
  round_trip(nullptr, "null");
  round_trip(std::monostate{}, "null");
  round_trip(value{{"a", {1, nullptr}}}, R"({"a": [1, null]})");
  round_trip(object{{"a", 1}}, R"({"a": 1})");
  round_trip(array{1, "x"}, R"([1, "x"])");
  round_trip(raw_json{"[1,  2e5,123456789012345678901234567890]"},
             "[1,  2e5,123456789012345678901234567890]");
  round_trip(point{3, 4}, R"("3x4")");
  EXPECT_TRUE(std::isnan(from_json<double>("NaN")));
  EXPECT_EQ(to_json("literal"), R"("literal")");
  EXPECT_EQ(to_json(std::string_view("view")), R"("view")");
  EXPECT_EQ(from_json<double>("3"), 3.0);
  from_json<void>(R"({"anything": 1})");
}

TEST(convert, described_types_are_objects_in_order) {
  boot_args args;
  args.id = "i";
  args.hint = 1;
  args.others = {{.name = "x", .ram = 1, .weight = 2.0}};
  args.ports["p"] = {1, 2};
  EXPECT_EQ(to_json(args),
            R"({"id": "i", "hint": 1, "flavor": {"name": "tiny", "ram": 64}, )"
            R"("others": [{"name": "x", "ram": 1, "weight": 2.0}], "ports": {"p": [1, 2]}, )"
            R"("paint": "green"})");
  const auto again = from_json<boot_args>(to_json(args));
  EXPECT_EQ(to_json(again), to_json(args));
  EXPECT_EQ(to_json(empty{}), "{}");
  EXPECT_EQ(to_json(hidden{}), R"({"a_": 1, "b_": 2})");
  EXPECT_EQ(from_json<hidden>(R"({"b_": 40})").sum(), 41);
  EXPECT_EQ(to_json(view_only{.text = "t"}), R"({"text": "t", "more": "m"})");
}

TEST(convert, absent_members_keep_their_default_and_unknown_keys_are_ignored) {
  const auto a = from_json<boot_args>(
      R"({"zzz": {"deep": [1, {}]}, "paint": "blue", "flavor": {"ram": 8, "x": null}})");
  EXPECT_EQ(a.flavor.name, "tiny");
  EXPECT_EQ(a.flavor.ram, 8);
  EXPECT_EQ(a.paint, colour::blue);
  EXPECT_TRUE(a.id.empty());
  EXPECT_TRUE(a.hint.is_null());
  from_json<empty>(R"({"a": 1})");
}

TEST(convert, the_last_of_equal_keys_wins_as_a_whole) {
  const auto a = from_json<boot_args>(
      R"({"flavor": {"ram": 8}, "ports": {"p": [1], "p": [2]}, "flavor": {"name": "n"}})");
  EXPECT_EQ(a.flavor.ram, 64);
  EXPECT_EQ(a.flavor.name, "n");
  EXPECT_EQ(a.ports.at("p"), std::vector<int>{2});
  EXPECT_EQ(from_json<flavor>(R"({"weight": 1.0, "weight": null})").weight, std::nullopt);
}

TEST(convert, errors_name_the_path) {
  EXPECT_EQ(error_of<boot_args>(R"({"flavor": {"ram": "8"}})", "args"),
            "args.flavor.ram: expected int, got string");
  EXPECT_EQ(error_of<boot_args>(R"({"flavor": {"ram": null}})"),
            "flavor.ram: expected int, got null");
  EXPECT_EQ(error_of<boot_args>(R"({"flavor": {"ram": 8.0}})"),
            "flavor.ram: expected int, got float");
  EXPECT_EQ(error_of<boot_args>(R"({"flavor": {"ram": true}})"),
            "flavor.ram: expected int, got bool");
  EXPECT_EQ(error_of<boot_args>(R"({"flavor": {"weight": []}})"),
            "flavor.weight: expected float, got array");
  EXPECT_EQ(error_of<boot_args>(R"({"others": [{}, {"name": {}}]})", "args"),
            "args.others[1].name: expected string, got object");
  EXPECT_EQ(error_of<boot_args>(R"({"ports": {"a-b": [0, 1, "2"]}})", "args"),
            "args.ports.a-b[2]: expected int, got string");
  EXPECT_EQ(error_of<boot_args>(R"({"ports": {"a\nb.c": 5}})", "args"),
            R"(args.ports["a\nb.c"]: expected array, got int)");
  EXPECT_EQ(error_of<boot_args>(R"({"paint": "pink"})"),
            R"(paint: expected one of red, green, blue, got "pink")");
  EXPECT_EQ(error_of<boot_args>(R"({"paint": 1})"), "paint: expected string, got int");
  EXPECT_EQ(error_of<boot_args>("[]", "args"), "args: expected object, got array");
  EXPECT_EQ(error_of<boot_args>("null"), "expected object, got null");
  EXPECT_EQ(error_of<bool>("1"), "expected bool, got int");
  EXPECT_EQ(error_of<bool>("\"true\""), "expected bool, got string");
  EXPECT_EQ(error_of<std::nullptr_t>("1"), "expected null, got int");
  EXPECT_EQ(error_of<object>("[]"), "expected object, got array");
  EXPECT_EQ(error_of<array>("{}"), "expected array, got object");
  EXPECT_EQ((error_of<std::vector<std::vector<int>>>("[[1],[2,3,[]]]")),
            "[1][2]: expected int, got array");
  EXPECT_EQ((error_of<std::vector<point>>(R"(["1x2", "3"])", "args")),
            "args[1]: expected a point like 3x4");
  EXPECT_EQ((error_of<std::vector<point>>("[1]", "args")), "args[0]: expected string, got int");
}

TEST(convert, integers_are_range_checked) {
  EXPECT_EQ(error_of<std::int8_t>("128"), "expected int from -128 to 127, got 128");
  EXPECT_EQ(error_of<std::int8_t>("-129"), "expected int from -128 to 127, got -129");
  EXPECT_EQ(error_of<std::uint8_t>("-1"), "expected int from 0 to 255, got -1");
  EXPECT_EQ(error_of<std::uint8_t>("256"), "expected int from 0 to 255, got 256");
  EXPECT_EQ(from_json<std::uint8_t>("-0"), 0);
  EXPECT_EQ(error_of<std::int64_t>("9223372036854775808"),
            "expected int from -9223372036854775808 to 9223372036854775807, got "
            "9223372036854775808");
  EXPECT_EQ(error_of<std::uint64_t>(std::string(5000, '9')),
            "expected int from 0 to 18446744073709551615, got " + std::string(60, '9') + "...");
  EXPECT_EQ(error_of<float>("1e39"), "float is out of range");
  EXPECT_EQ(error_of<float>("NaN"), "no error");
}

TEST(convert, fixed_lengths_must_match) {
  EXPECT_EQ((error_of<std::array<int, 2>>("[1]")), "expected an array of length 2, got length 1");
  EXPECT_EQ((error_of<std::pair<int, int>>("[1, 2, \"x\", {}]", "args")),
            "args: expected an array of length 2, got length 4");
  EXPECT_EQ((error_of<std::tuple<int, bool>>("[1, 2]")), "[1]: expected bool, got int");
}

TEST(convert, malformed_text_is_reported_with_its_place) {
  EXPECT_EQ(error_of<boot_args>(R"({"flavor": {"ram": 8)", "args"),
            "Malformed JSON at byte 20: expected ',' or '}', got the end of the text");
  EXPECT_EQ(error_of<int>("1 2"),
            "Malformed JSON at byte 2: expected nothing after the value, got '2'");
  EXPECT_EQ(error_of<int>(""),
            "Malformed JSON at byte 0: expected a value, got the end of the text");
  EXPECT_EQ(error_of<std::vector<int>>("[1,]"),
            "Malformed JSON at byte 3: expected a value, got ']'");
  EXPECT_EQ(error_of<boot_args>(R"({"unknown": [1 2]})"),
            "Malformed JSON at byte 15: expected ',' or ']', got '2'");
  EXPECT_EQ(error_of<void>("{"),
            "Malformed JSON at byte 1: expected a key in double quotes, got the end of the text");
}

TEST(convert, whatever_a_codec_throws_becomes_an_error_of_the_library) {
  using points = std::map<std::string, std::vector<std::optional<point>>>;
  EXPECT_EQ(error_of<points>(R"({"a": ["1x2", null, "xx3"]})", "args"),
            "args.a[2]: cannot be read: stoi");
  EXPECT_EQ(error_of<point>(R"("9999999999x1")"), "cannot be read: stoi");
  EXPECT_EQ(error_of<point>(R"("1")", "result"), "result: expected a point like 3x4");
  const auto read = try_from_json<points>(R"({"a": ["?x"]})", "args");
  ASSERT_TRUE(read.has_error());
  EXPECT_EQ(read.error().code(), errc::malformed_message);
  EXPECT_EQ(read.error().message(), "args.a[0]: cannot be read: stoi");
  EXPECT_EQ(try_from_json<point>(R"("1x2")")->y, 2);
  EXPECT_TRUE(try_from_json<void>("1"));
  EXPECT_EQ(*try_to_json(point{1, 2}), R"("1x2")");
  EXPECT_EQ(try_to_json(std::string("\xff")).error().code(), errc::serialization_failed);
}

TEST(convert, what_cannot_be_written_is_refused) {
  const auto error = [](const auto& v) -> std::string {
    try {
      to_json(v);
    } catch (const messaging_error& e) {
      EXPECT_EQ(e.failure().code(), errc::serialization_failed);
      return e.failure().message();
    }
    return "no error";
  };
  EXPECT_EQ(error(raw_json{"1, \"_reply_q\": 2"}),
            "Raw JSON does not hold one JSON value: Malformed JSON at byte 1: expected nothing "
            "after the value, got ','");
  EXPECT_EQ(error(static_cast<colour>(9)),
            "An enum value without a name cannot be written as JSON");
  EXPECT_EQ(error(std::string("\xff")),
            "Text cannot be written as JSON: it is not valid UTF-8 at byte 0");
}

TEST(convert, a_codec_of_the_application_has_to_write_one_value) {
  const auto error = [](const auto& v) { return try_to_json(v).error().message(); };
  for (const char* text :
       {"", " ", "garbage", "1, 2", "{} {}", R"({"a": })", "]", "\"\x01\"", "[1"}) {
    EXPECT_EQ(try_to_json(ink{text}).error().code(), errc::serialization_failed) << text;
    EXPECT_TRUE(error(std::vector{ink{"1"}, ink{text}}).starts_with("A value is not written"));
    EXPECT_TRUE(error(std::map<std::string, ink>{{"a", {text}}}).starts_with("A value is not"));
    EXPECT_TRUE(error(std::optional(ink{text})).starts_with("A value is not written"));
    EXPECT_TRUE(error(std::tuple(1, ink{text})).starts_with("A value is not written"));
  }
  EXPECT_TRUE(error(blot()).starts_with("A value is not written"));
  EXPECT_EQ(to_json(std::vector{ink{" 1"}, ink{"{\"a\": [2]} "}}), "[ 1, {\"a\": [2]} ]");
}

/// They may write a part each: it is the whole that goes out.
TEST(convert, of_codecs_inside_each_other_the_outermost_is_checked) {
  EXPECT_EQ(to_json(ink{"[", {{"1"}, {", 2"}}}), "[1, 2]");
  EXPECT_TRUE(try_to_json(ink{"[", {{"1"}, {"2}"}}}).has_error());
  EXPECT_TRUE(try_to_json(std::vector{ink{"[", {{"1"}}}, ink{"2}"}}).has_error());
}

TEST(convert, types_that_contain_themselves_stop_at_the_depth_limit) {
  std::string text;
  for (int i = 0; i < 600; ++i) text += R"({"children": [)";
  EXPECT_EQ(error_of<node>(text).substr(0, 23), "children[0].children[0]");
  EXPECT_TRUE(error_of<node>(text).ends_with("children[0]: nested deeper than 200 levels"));
  const auto levels = [](int n) {
    std::string nested = "{}";
    for (int i = 0; i < n; ++i) nested = R"({"children": [)" + nested + "]}";
    return nested;
  };
  EXPECT_EQ(error_of<node>(levels(99)), "no error");
  EXPECT_TRUE(error_of<node>(levels(100)).ends_with("nested deeper than 200 levels"));
  const auto tree = from_json<node>(R"({"id": 1, "children": [{"id": 2}]})");
  EXPECT_EQ(tree.children.at(0).id, 2);
  EXPECT_EQ(error_of<node>(R"({"children": [{"children": [{}, {"id": "x"}]}]})"),
            "children[0].children[1].id: expected int, got string");
}

}  // namespace
}  // namespace oslo::messaging
