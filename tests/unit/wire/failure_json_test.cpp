#include "wire/failure_json.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::wire {
namespace {

std::string written(const remote_failure& f) {
  std::string out;
  write_failure(out, f);
  return out;
}

TEST(failure_json, has_the_bytes_of_the_specification) {
  const remote_failure f{
      .type = "ValueError",
      .module = "builtins",
      .message = "('bad', 3)",
      .traceback = {"Traceback (most recent call last):\n",
                    "  File \"\xe2\x80\xa6\", line 117, in boom\n    def boom(): raise "
                    "ValueError('bad',3)\n",
                    "ValueError: ('bad', 3)\n"},
      .args_json = R"(["bad", 3])",
      .kwargs_json = "{}"};
  EXPECT_EQ(
      written(f),
      R"~({"class": "ValueError", "module": "builtins", "message": "('bad', 3)", "tb": ["Traceback (most recent call last):\n", "  File \"\u2026\", line 117, in boom\n    def boom(): raise ValueError('bad',3)\n", "ValueError: ('bad', 3)\n"], "args": ["bad", 3], "kwargs": {}})~");
  const remote_failure again = read_failure(written(f));
  EXPECT_EQ(again.type, f.type);
  EXPECT_EQ(again.module, f.module);
  EXPECT_EQ(again.message, f.message);
  EXPECT_EQ(again.traceback, f.traceback);
  EXPECT_EQ(again.args_json, f.args_json);
  EXPECT_EQ(again.kwargs_json, f.kwargs_json);
}

TEST(failure_json, empty_parts_are_written) {
  EXPECT_EQ(written({}),
            R"({"class": "", "module": "", "message": "", "tb": [], "args": [], "kwargs": {}})");
}

TEST(failure_json, the_remote_suffix_is_removed_when_both_names_have_it) {
  const auto names = [](std::string type, std::string module) {
    const auto f = read_failure(written({.type = std::move(type), .module = std::move(module)}));
    return f.module + "." + f.type;
  };
  EXPECT_EQ(names("Foo_Remote", "nova.exc_Remote"), "nova.exc.Foo");
  EXPECT_EQ(names("Foo_Remote", "nova.exc"), "nova.exc.Foo_Remote");
  EXPECT_EQ(names("Foo", "nova.exc_Remote"), "nova.exc_Remote.Foo");
  EXPECT_EQ(names("Foo_Remote_Remote", "m_Remote"), "m.Foo_Remote");
}

TEST(failure_json, writing_never_fails) {
  const auto f = read_failure(written({.type = "E\xff",
                                       .message = "caf\xe9 \xf0\x9f\x98\x80 \xc3",
                                       .traceback = {"\x80\n"},
                                       .args_json = "[1",
                                       .kwargs_json = "[]"}));
  EXPECT_EQ(f.type, "E\xef\xbf\xbd");
  EXPECT_EQ(f.message, "caf\xef\xbf\xbd \xf0\x9f\x98\x80 \xef\xbf\xbd");
  EXPECT_EQ(f.traceback, std::vector<std::string>{"\xef\xbf\xbd\n"});
  EXPECT_EQ(f.args_json, "[]");
  EXPECT_EQ(f.kwargs_json, "{}");
  EXPECT_EQ(read_failure(written({.args_json = "", .kwargs_json = "{} x"})).args_json, "[]");
}

TEST(failure_json, is_read_liberally) {
  const auto f = read_failure(
      R"({"extra": {"a": [1]}, "kwargs": [1], "args": {"a": 1}, "tb": "one line", "message": 5, "module": null, "class": ["x"]})");
  EXPECT_EQ(f.type, R"(["x"])");
  EXPECT_EQ(f.module, "");
  EXPECT_EQ(f.message, "5");
  EXPECT_EQ(f.traceback, std::vector<std::string>{"one line"});
  EXPECT_EQ(f.args_json, "[]");
  EXPECT_EQ(f.kwargs_json, "{}");
  const auto lines = read_failure(R"({"tb": ["a\n", null, 5, ["b"]]})").traceback;
  EXPECT_EQ(lines, (std::vector<std::string>{"a\n", "", "5", R"(["b"])"}));
  EXPECT_TRUE(read_failure(R"({"tb": null})").traceback.empty());
  EXPECT_EQ(read_failure("{}").message, "");
}

TEST(failure_json, what_is_not_a_json_object_becomes_the_message) {
  for (const std::string_view text :
       {"", "boom", "5", "[]", "null", "{\"class\": \"E\"", "{\"class\": \"E\"} x", "\xff"}) {
    const auto f = read_failure(std::string(text));
    EXPECT_EQ(f.message, text);
    EXPECT_EQ(f.json, "") << "it could not be passed on";
    EXPECT_EQ(f.type, "");
    EXPECT_EQ(f.module, "");
  }
}

TEST(failure_json, a_text_is_passed_on_as_it_came) {
  for (const std::string text :
       {R"({})", R"({"class": "E", "module": "exceptions", "message": "m", "extra": [1.10]})",
        R"( {"class":"E_Remote","module":"m_Remote","tb":"one line","message":"\ud800"} )"}) {
    auto f = read_failure(text);
    EXPECT_EQ(f.json, text);
    f.type = "does not count";
    EXPECT_EQ(written(f), text);
    f.json.clear();
    EXPECT_NE(written(f).find("does not count"), std::string::npos);
  }
}

TEST(failure_json, a_text_that_is_no_object_is_refused) {
  const auto error_of = [](std::string json) -> std::string {
    try {
      written({.type = "E", .json = std::move(json)});
    } catch (const messaging_error& e) {
      EXPECT_EQ(e.failure().code(), errc::serialization_failed);
      return e.what();
    }
    return "no error";
  };
  const std::string begin = "The failure to be sent is not a JSON object: Malformed JSON at byte ";
  EXPECT_EQ(error_of("boom"), begin + "0: expected an object, got 'b'");
  EXPECT_EQ(error_of(R"({"a": 1} x)"), begin + "9: expected nothing after the value, got 'x'");
  for (const char* bad : {" ", "[]", "null", "{", "{\"a\": \"\xff\"}", "{} {}"})
    EXPECT_EQ(error_of(bad).substr(0, begin.size()), begin) << bad;
}

TEST(failure_json, the_module_of_python_2_is_mapped) {
  EXPECT_EQ(read_failure(R"({"module": "exceptions"})").module, "builtins");
  EXPECT_EQ(read_failure(R"({"module": "nova.exceptions"})").module, "nova.exceptions");
}

}  // namespace
}  // namespace oslo::messaging::wire
