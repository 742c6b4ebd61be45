#include "net/certificate.hpp"

#include <gtest/gtest.h>

#include "support/tls_files.hpp"

namespace oslo::messaging::net {
namespace {

using namespace std::chrono_literals;

TEST(certificate, says_until_when_it_is_good) {
  const auto end = valid_until(tls_files::certificate().certificate());
  ASSERT_TRUE(end);
  const auto now = std::chrono::system_clock::now();
  EXPECT_GT(*end, now + 24h) << "it was made for two days";
  EXPECT_LT(*end, now + 72h);
}

TEST(certificate, a_file_without_one_says_nothing) {
  EXPECT_FALSE(valid_until(tls_files::certificate().key()));
  EXPECT_FALSE(valid_until("/nowhere/cert.pem"));
  EXPECT_FALSE(valid_until("/"));
}

TEST(certificate, dates_are_those_of_utc) {
  const std::chrono::system_clock::time_point t(1'893'456'001s);
  EXPECT_EQ(utc_date(t), "2030-01-01");
  std::tm utc{};
  const auto seconds = std::chrono::system_clock::to_time_t(t);
  EXPECT_EQ(utc_text(*::gmtime_r(&seconds, &utc)), "2030-01-01 00:00:01 UTC");
  EXPECT_EQ(utc_date(t - 2s), "2029-12-31");
}

}  // namespace
}  // namespace oslo::messaging::net
