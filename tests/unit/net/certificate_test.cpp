#include "net/certificate.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

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

/// "Without an end", and the latest that can be written.
TEST(certificate, dates_far_away_are_dates) {
  const std::unique_ptr<X509, void (*)(X509*)> one(::X509_new(), ::X509_free);
  for (const auto& [text, day] : {std::pair("99991231235959Z", "9999-12-31"),
                                  {"24000101000000Z", "2400-01-01"},
                                  {"19000101000000Z", "1900-01-01"}}) {
    ASSERT_EQ(::ASN1_TIME_set_string(::X509_getm_notAfter(one.get()), text), 1) << text;
    const auto end = valid_until(*one);
    ASSERT_TRUE(end) << text;
    const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(*end));
    char shown[16];
    std::snprintf(shown, sizeof shown, "%04d-%02u-%02u", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
    EXPECT_STREQ(shown, day);
  }
}

TEST(certificate, a_file_without_one_says_nothing) {
  EXPECT_FALSE(valid_until(tls_files::certificate().key()));
  EXPECT_FALSE(valid_until("/nowhere/cert.pem"));
  EXPECT_FALSE(valid_until("/"));
}

TEST(certificate, dates_are_those_of_utc) {
  const std::chrono::sys_seconds t(1'893'456'001s);
  EXPECT_EQ(utc_date(t), "2030-01-01");
  std::tm utc{};
  const std::time_t seconds = t.time_since_epoch().count();
  EXPECT_EQ(utc_text(*::gmtime_r(&seconds, &utc)), "2030-01-01 00:00:01 UTC");
  EXPECT_EQ(utc_date(t - 2s), "2029-12-31");
}

}  // namespace
}  // namespace oslo::messaging::net
