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

}  // namespace
}  // namespace oslo::messaging::net
