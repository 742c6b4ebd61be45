#include "core/unique_id.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <regex>
#include <set>
#include <thread>
#include <vector>

#include "core/random.hpp"

namespace oslo::messaging {
namespace {

TEST(unique_id, is_a_version_4_uuid) {
  const std::regex plain{"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}"};
  const std::regex dashed{"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"};
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(std::regex_match(unique_id(), plain));
    EXPECT_TRUE(std::regex_match(unique_id_dashed(), dashed));
  }
}

TEST(unique_id, uses_every_variant_digit) {
  std::set<char> variants;
  for (int i = 0; i < 500; ++i) variants.insert(unique_id()[16]);
  EXPECT_EQ(variants, (std::set<char>{'8', '9', 'a', 'b'}));
}

TEST(unique_id, differs_between_threads) {
  std::vector<std::vector<std::string>> made(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : made)
      threads.emplace_back([&mine] {
        for (int i = 0; i < 5'000; ++i) mine.push_back(unique_id());
      });
  }
  std::set<std::string> all;
  for (const auto& mine : made) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), 20'000u);
}

TEST(unique_id, differs_after_a_fork) {
  (void)unique_id();  // the parent's sequence has begun
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::string id = unique_id();
    const bool written = write(pipe_ends[1], id.data(), id.size()) == 32;
    // Not _exit(): the thread sanitizer would then look for the parent's threads.
    raise(written ? SIGKILL : SIGABRT);
  }
  const std::string ours = unique_id();
  std::string theirs(32, '\0');
  EXPECT_EQ(read(pipe_ends[0], theirs.data(), theirs.size()), 32);
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  EXPECT_NE(ours, theirs);
}

TEST(write_hex64, writes_sixteen_digits) {
  std::string out(16, '?');
  write_hex64(out.data(), 0);
  EXPECT_EQ(out, "0000000000000000");
  write_hex64(out.data(), 0x0123456789abcdefu);
  EXPECT_EQ(out, "0123456789abcdef");
  write_hex64(out.data(), ~std::uint64_t{0});
  EXPECT_EQ(out, "ffffffffffffffff");
}

TEST(read_hex64, takes_lower_case_digits_only) {
  EXPECT_EQ(read_hex64("0123456789abcdef"), 0x0123456789abcdefu);
  EXPECT_EQ(read_hex64("f0"), 0xf0u);
  for (const char* other : {"A0", "g0", "/0", ":0", "`0", "0-", " 1"})
    EXPECT_FALSE(read_hex64(other)) << other;
}

TEST(random_engine, follows_the_reference_sequence) {
  // xoshiro256** from the state {1, 2, 3, 4}, as published with the algorithm.
  random_engine next{std::array<std::uint64_t, 4>{1, 2, 3, 4}};
  EXPECT_EQ(next(), 11520u);
  EXPECT_EQ(next(), 0u);
  EXPECT_EQ(next(), 1509978240u);
  EXPECT_EQ(next(), 1215971899390074240u);
}

TEST(random_engine, leaves_the_zero_state) {
  random_engine next{std::array<std::uint64_t, 4>{}};
  std::uint64_t seen = 0;
  for (int i = 0; i < 10; ++i) seen |= next();
  EXPECT_NE(seen, 0u);
}

TEST(random_engine, same_seed_same_sequence) {
  random_engine a{7}, b{7}, c{8};
  EXPECT_EQ(a(), b());
  EXPECT_NE(a(), c());
}

}  // namespace
}  // namespace oslo::messaging
