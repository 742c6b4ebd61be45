// A recorded session, cut and damaged everywhere: never a crash, and always a stated outcome.
#include <gtest/gtest.h>

#include <set>

#include "support/amqp_script.hpp"
#include "support/amqp_session.hpp"

using namespace amqp_script;

namespace {

TEST(amqp_replay, session_goes_through) {
  const session_result whole = play(session(), session().size());
  EXPECT_EQ(whole.lines.front(), "open");
  EXPECT_EQ(whole.lines.back(), "closed broker 320 CONNECTION_FORCED");
  EXPECT_EQ(std::count_if(whole.lines.begin(), whole.lines.end(),
                          [](const std::string& l) { return l.starts_with("delivery"); }),
            4);
  EXPECT_EQ(std::count_if(whole.lines.begin(), whole.lines.end(),
                          [](const std::string& l) { return l.starts_with("refused"); }),
            2);
}

TEST(amqp_replay, portions_of_input_do_not_matter) {
  const std::string input = session();
  const session_result whole = play(input, input.size());
  for (const std::size_t portion : {1u, 2u, 3u, 7u, 8u, 9u, 64u, 1000u, 4095u, 4096u, 4097u}) {
    const session_result pieces = play(input, portion);
    EXPECT_EQ(pieces.lines, whole.lines) << portion;
    EXPECT_EQ(pieces.output, whole.output) << portion;
  }
}

TEST(amqp_replay, cut_anywhere_it_is_a_transport_error) {
  const std::string input = session();
  const session_result whole = play(input, input.size());
  for (std::size_t n = 0; n < input.size(); ++n) {
    const session_result cut = play(input.substr(0, n), 4096);
    ASSERT_FALSE(cut.lines.empty());
    ASSERT_TRUE(cut.lines.back().starts_with("closed transport 0 The connection ended")) << n;
    // What was reported before is what the whole session reports: nothing partial.
    ASSERT_LE(cut.lines.size(), whole.lines.size());
    for (std::size_t i = 0; i + 1 < cut.lines.size(); ++i)
      ASSERT_EQ(cut.lines[i], whole.lines[i]) << n;
  }
}

TEST(amqp_replay, damaged_anywhere_it_ends_once) {
  const std::string input = session();
  for (std::size_t at = 0; at < input.size(); ++at)
    for (const int flip : {0x01, 0x80, 0xFF}) {
      std::string damaged = input;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      const session_result r = play(damaged, 4096);
      ASSERT_FALSE(r.lines.empty());
      ASSERT_TRUE(r.lines.back().starts_with("closed ")) << at;
      ASSERT_EQ(std::count_if(r.lines.begin(), r.lines.end(),
                              [](const std::string& l) { return l.starts_with("closed "); }),
                1)
          << at;
      ASSERT_LT(r.output.size(), 4 * input.size()) << at;
    }
}

TEST(amqp_replay, damage_of_frames_is_named) {
  // The first bytes of each frame: type, channel and size are never taken on trust.
  const std::string input = session();
  std::set<std::string> codes;
  for (std::size_t at = 0; at < input.size();) {
    std::string damaged = input;
    damaged[at] = 0x55;
    const session_result r = play(damaged, 4096);
    ASSERT_TRUE(r.lines.back().starts_with("closed protocol 501 ")) << at << r.lines.back();
    reader header{std::string_view{input}.substr(at + 3)};
    const std::size_t size = header.u32();
    damaged = input;
    damaged[at + 7 + size] = 0;
    ASSERT_TRUE(play(damaged, 4096).lines.back().starts_with("closed protocol 501 ")) << at;
    at += size + 8;
  }
}

}  // namespace
