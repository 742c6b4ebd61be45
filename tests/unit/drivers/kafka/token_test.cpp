#include "drivers/kafka/token.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace oslo::messaging::kafka {
namespace {

using ::testing::HasSubstr;

/// {"alg": "none"} . {"sub": "ada", "exp": 1800000000} . nothing
constexpr auto sound = "eyJhbGciOiAibm9uZSJ9.eyJzdWIiOiAiYWRhIiwgImV4cCI6IDE4MDAwMDAwMDB9.";

std::string refusal(std::string_view text) {
  const auto r = parse_token(text);
  return r ? "none" : r.error().message();
}

TEST(kafka_token, has_a_principal_and_an_end) {
  const auto t = parse_token(sound).value();
  EXPECT_EQ(t.text, sound);
  EXPECT_EQ(t.principal, "ada");
  EXPECT_EQ(t.expires, 1'800'000'000'000);
}

TEST(kafka_token, what_is_none_says_why_and_shows_nothing_of_it) {
  EXPECT_THAT(refusal(""), HasSubstr("less than three parts"));
  EXPECT_THAT(refusal("secret.secret"), HasSubstr("less than three parts"));
  EXPECT_THAT(refusal("a.b+c.d"), HasSubstr("not base64url"));
  EXPECT_THAT(refusal("a.bm8.d"), HasSubstr("not JSON"));                    // no
  EXPECT_THAT(refusal("a.WzFd.d"), HasSubstr("no object"));                  // [1]
  EXPECT_THAT(refusal("a.e30.d"), HasSubstr("no claim \"exp\""));            // {}
  EXPECT_THAT(refusal("a.eyJleHAiOiAtMX0.d"), HasSubstr("is no time"));      // {"exp": -1}
  EXPECT_THAT(refusal("a.eyJleHAiOiAxZTMwMH0.d"), HasSubstr("is no time"));  // {"exp": 1e300}
  EXPECT_THAT(refusal("secret.secret"), testing::Not(HasSubstr("secret")));
}

class kafka_token_file : public ::testing::Test {
 protected:
  ~kafka_token_file() override { std::filesystem::remove(file); }
  void write(const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

  const std::string file = ::testing::TempDir() + "kafka_token_" +
                           std::to_string(reinterpret_cast<std::uintptr_t>(this));
};

TEST_F(kafka_token_file, is_read_without_the_blanks_around_it) {
  write(std::string("\n ") + sound + "\r\n");
  EXPECT_EQ(read_token(file).value().text, sound);
}

TEST_F(kafka_token_file, that_is_none_is_an_error) {
  EXPECT_EQ(read_token(file).error().message(), "It is no file that can be read.");
  EXPECT_EQ(read_token("/").error().message(), "It is no file that can be read.");
  write("  ");
  EXPECT_EQ(read_token(file).error().message(), "It is empty, or cannot be read.");
  write(std::string(65 * 1024, 'x'));
  EXPECT_EQ(read_token(file).error().message(), "It is larger than 64 KiB.");
}

}  // namespace
}  // namespace oslo::messaging::kafka
