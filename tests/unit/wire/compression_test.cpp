#include "wire/compression.hpp"

#include <gtest/gtest.h>

#include "support/amqp_script.hpp"

namespace oslo::messaging::wire {
namespace {

constexpr std::size_t plenty = 1u << 20;
const std::string message = R"({"oslo.version": "2.0", "oslo.message": "{}"})";
/// zlib.compress and bz2.compress of it, which kombu calls for "gzip" and "bzip2".
const std::string by_zlib = amqp_script::bytes(
    "789cab56ca2fcec9d72b4b2d2acecccf53b2525032d23350d2518008e7a6161727a6a78284ab6b956a01506f0e52");
const std::string by_bzip2 = amqp_script::bytes(
    "425a6839314159265359502d8e8000001499805005501022a7990a2000314c269a034c42269a3d4003d20659b6ad12"
    "af5bf530d03b73d94050a1b26c3846a68717e2ee48a70a120a05b1d000");

struct format {
  codec c;
  std::string golden;
};
const format formats[] = {{codec::zlib, by_zlib}, {codec::bzip2, by_bzip2}};

std::string error_of(codec c, std::string_view compressed, std::size_t most = plenty) {
  const auto body = decompress(c, compressed, most);
  if (body) return "no error, but " + std::to_string(body->size()) + " bytes";
  EXPECT_EQ(body.error().code(), errc::malformed_message);
  return body.error().message();
}

TEST(compression, is_the_one_of_kombu) {
  for (const auto& f : formats) {
    EXPECT_EQ(compress(f.c, message), f.golden);
    EXPECT_EQ(decompress(f.c, f.golden, plenty).value(), message);
  }
}

TEST(compression, has_the_names_of_kombu) {
  for (const char* name : {"gzip", "zlib", "application/x-gzip"})
    EXPECT_EQ(codec_named(name), codec::zlib) << name;
  for (const char* name : {"bzip2", "bzip", "bz2", "application/x-bz2"})
    EXPECT_EQ(codec_named(name), codec::bzip2) << name;
  for (const char* name : {"", "GZIP", "lzma", "application/zstd", "identity"})
    EXPECT_EQ(codec_named(name), std::nullopt) << name;
  for (const auto& f : formats) EXPECT_EQ(codec_named(header_value(f.c)), f.c);
  EXPECT_EQ(header_value(codec::zlib), "application/x-gzip");
  EXPECT_EQ(header_value(codec::bzip2), "application/x-bz2");
}

TEST(compression, bodies_of_every_size_come_back) {
  std::uint32_t state = 1;
  for (const std::size_t size : {0u, 1u, 4'095u, 4'096u, 4'097u, 8'192u, 1'000'000u}) {
    std::string body(size, ' ');
    for (auto& byte : body) byte = static_cast<char>((state = state * 1'664'525 + 1) >> 24);
    for (const auto& f : formats)
      EXPECT_TRUE(decompress(f.c, compress(f.c, body), size).value() == body) << size;
  }
}

TEST(compression, a_bomb_is_refused_at_the_limit) {
  const std::string zeros(10u << 20, '\0');
  for (const auto& f : formats) {
    const auto bomb = compress(f.c, zeros);
    ASSERT_LT(bomb.size(), 20'000u);
    EXPECT_EQ(decompress(f.c, bomb, zeros.size()).value().size(), zeros.size());
    for (const std::size_t most : {zeros.size() - 1, std::size_t{4'096}, std::size_t{1}})
      EXPECT_EQ(error_of(f.c, bomb, most),
                "its body decompresses to more than " + std::to_string(most) + " bytes");
  }
}

TEST(compression, what_is_cut_short_is_broken) {
  for (const auto& f : formats)
    for (std::size_t n = 0; n < f.golden.size(); ++n)
      EXPECT_EQ(error_of(f.c, f.golden.substr(0, n)), "its compressed body is broken") << n;
}

TEST(compression, what_was_changed_is_broken) {
  for (const auto& f : formats) {
    std::size_t broken = 0;
    for (std::size_t bit = 0; bit < 8 * f.golden.size(); ++bit) {
      auto changed = f.golden;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
      const auto body = decompress(f.c, changed, plenty);
      if (!body)
        ++broken;
      else
        EXPECT_EQ(*body, message) << bit;  // a bit that says nothing
    }
    EXPECT_GT(broken, 7 * f.golden.size());
  }
}

TEST(compression, nothing_may_stand_behind_it) {
  for (const auto& f : formats) {
    EXPECT_EQ(error_of(f.c, f.golden + "x"), "its compressed body is broken");
    EXPECT_EQ(error_of(f.c, f.golden + f.golden), "its compressed body is broken");
    EXPECT_EQ(error_of(f.c, message), "its compressed body is broken");
  }
}

}  // namespace
}  // namespace oslo::messaging::wire
