#include <gtest/gtest.h>

#include <oslo/messaging/context.hpp>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>

namespace oslo::messaging {
namespace {

const std::string big = "18446744073709551617";

std::string text_of(const context& c) {
  std::string out;
  write_json(out, c);
  return out;
}

TEST(contexts, keep_the_digits_of_an_entry_until_it_changes) {
  context c{{"user", "bob"}};
  c.set("n", raw_json{big});
  EXPECT_EQ(c.find("n")->as_double(), 18446744073709551616.0);
  EXPECT_EQ(text_of(c), R"({"user": "bob", "n": 18446744073709551617})");
  context copy = c;
  EXPECT_EQ(copy, c);
  EXPECT_EQ(*copy.exact_text("n"), big);

  copy.entries()["n"] = 1.5;
  EXPECT_EQ(copy.exact_text("n"), nullptr);
  EXPECT_EQ(text_of(copy), R"({"user": "bob", "n": 1.5})");
  copy = c;
  copy.entries().erase("n");
  EXPECT_EQ(copy.exact_text("n"), nullptr);
  EXPECT_EQ(text_of(copy), R"({"user": "bob"})");
  copy = c;
  copy.set("n", *c.find("n"));
  EXPECT_EQ(text_of(copy), R"({"user": "bob", "n": 1.8446744073709552e+19})");
  copy.set("n", raw_json{"[1,2]"});
  EXPECT_EQ(copy.exact_text("n"), nullptr) << "a value holds that";
  EXPECT_EQ(text_of(copy), R"({"user": "bob", "n": [1, 2]})");
}

TEST(contexts, tell_neighbours_that_round_alike_apart) {
  context a, b;
  a.set("n", raw_json{big});
  b.set("n", raw_json{"18446744073709551616"});
  EXPECT_EQ(a.entries(), b.entries());
  EXPECT_NE(a, b);
}

TEST(contexts, take_one_json_value_as_text) {
  context c;
  for (const char* bad : {"", "1 2", "01", "{", "99999999999999999999,"})
    EXPECT_THROW(c.set("n", raw_json{bad}), messaging_error) << bad;
  EXPECT_TRUE(c.empty());
}

}  // namespace
}  // namespace oslo::messaging
