#include "notify/sources/masking.hpp"

#include <gtest/gtest.h>

namespace oslo::messaging::notify {
namespace {

TEST(masking, hides_values_of_keys_that_name_secrets) {
  EXPECT_EQ(
      masked({{"password", "x"}, {"adminPass", 5}, {"AUTH_TOKEN", "y"}, {"user", "bob"}}),
      (value{{"password", "***"}, {"adminPass", "***"}, {"AUTH_TOKEN", "***"}, {"user", "bob"}}));
  EXPECT_EQ(masked({{"list", {{{"secret_uuid", "x"}}, 5}}}),
            (value{{"list", {{{"secret_uuid", "***"}}, 5}}}));
  EXPECT_EQ(masked({{"tokens", {{"issued", "now"}, {"token", "x"}}}}),
            (value{{"tokens", {{"issued", "now"}, {"token", "***"}}}}));
}

TEST(masking, hides_secrets_inside_texts) {
  const std::pair<const char*, const char*> table[] = {
      {"plain text", "plain text"},
      {"password=secret123&user=bob", "password=***&user=bob"},
      {"{'adminPass': 'a b', 'n': 1}", "{'adminPass': '***', 'n': 1}"},
      {R"("auth_token" : "abc")", R"("auth_token" : "***")"},
      {"admin_password = 1;rest", "admin_password = ***;rest"},
      {"the password is not shown", "the password is not shown"},
      {"password=", "password="},
      {"password: 'open", "password: '***"},
  };
  for (const auto& [given, shown] : table) EXPECT_EQ(masked_text(given), shown);
}

}  // namespace
}  // namespace oslo::messaging::notify
