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

}  // namespace
}  // namespace oslo::messaging::net
