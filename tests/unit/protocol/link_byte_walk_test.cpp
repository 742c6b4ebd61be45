// The broker breaks login and topology at every byte: the link always has a next step, and comes up
// as soon as the broker is well. No socket, no clock.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>

#include "protocol/link_policy.hpp"
#include "support/amqp_session.hpp"

namespace oslo::messaging::protocol {
namespace {

using namespace amqp_script;
using instant = link_policy::instant;
using testing::HasSubstr;

/// What a broker sends until everything of a busy client is set up, a frame each.
std::vector<std::string> frames() {
  return {start(),
          tune(100, 4096, 60),
          open_ok(),
          channel_open_ok(1),
          channel_open_ok(2),
          method_frame(1, method::basic_qos_ok),
          method_frame(1, method::exchange_declare_ok),
          declare_ok(1, "t", 3, 0),
          method_frame(1, method::queue_bind_ok),
          consume_ok(1, "1"),
          consume_ok(1, "2"),
          method_frame(2, method::confirm_select_ok)};
}
std::string joined(const std::vector<std::string>& all) {
  std::string text;
  for (const auto& f : all) text += f;
  return text;
}

class user : public busy_client {
 public:
  void on_open(const field_table& properties) override {
    opened = true;
    busy_client::on_open(properties);
  }
  void on_closed(const close_reason& why) override {
    busy_client::on_closed(why);
    closed = why;
  }
  bool opened = false;
  std::optional<close_reason> closed;
};

/// A link whose first connection is to a broker that sends `bytes`, and all others to one that is
/// well.
class walk {
 public:
  /// `ends`: the connection ends behind them; else the broker says nothing more.
  walk(std::string bytes, bool ends) : bytes_(std::move(bytes)), ends_(ends) {
    obey(policy_.open(now_));
    for (int turn = 0; !is_up(); ++turn) {
      if (turn == 1'000) throw std::logic_error("it spins");
      if (!actions_.empty()) {
        const auto next = std::move(actions_.front());
        actions_.pop_front();
        std::visit([this](const auto& a) { perform(a); }, next);
        continue;
      }
      auto next = policy_.next_wake();
      if (machine_) next = std::min(next, machine_->next_deadline());
      if (next == instant::max()) {
        // An open connection without heartbeats has nothing to wait for.
        if (!policy_.is_open()) throw std::logic_error("there is no next step");
        machine_->on_stream_end("reset by peer", now_);
        after_machine();
        continue;
      }
      now_ = std::max(now_, next);
      if (machine_) machine_->on_tick(now_);
      after_machine();
      obey(policy_.tick(now_));
    }
  }

  int connections = 0;
  std::vector<link_loss> losses;
  std::vector<std::string> lines;  ///< of the last connection

 private:
  bool is_up() {
    if (connections < 2 || !machine_ || !actions_.empty()) return false;
    lines = user_->lines;
    return policy_.is_open();
  }
  void obey(link_actions a) { std::ranges::move(a, std::back_inserter(actions_)); }

  template <class Action>
  void perform(const Action&) {}
  void perform(const act::dial& a) { obey(policy_.connected(a.id, now_)); }
  void perform(const act::hang_up&) { machine_.reset(); }
  void perform(const act::report_down& a) { losses.push_back(a.loss); }
  void perform(const act::converse&) {
    const bool well = ++connections > 1;
    user_ = std::make_unique<user>();
    machine_ = std::make_unique<connection>(connection_options{}, *user_, now_);
    user_->machine = machine_.get();
    feed(well ? joined(frames()) : bytes_);
    if (!well && ends_) machine_->on_stream_end("reset by peer", now_);
    after_machine();
  }
  void feed(const std::string& input) {
    machine_->on_bytes(std::as_bytes(std::span(input.data(), input.size())), now_);
  }
  void after_machine() {
    if (!machine_) return;
    std::string out;
    machine_->take_output(out, now_);
    if (std::exchange(user_->opened, false)) obey(policy_.opened(now_));
    if (user_->closed) obey(policy_.ended(*std::exchange(user_->closed, std::nullopt), now_));
  }

  std::string bytes_;
  bool ends_;
  instant now_{std::chrono::hours(1)};
  link_policy policy_{{.hosts = {{"127.0.0.1", 5672}}, .backoff = {}, .purpose = "walk"}, 1};
  std::deque<link_action> actions_;
  std::unique_ptr<user> user_;
  std::unique_ptr<connection> machine_;
};

/// The login mechanism that is not offered is the one thing here that is no accident.
bool is_verdict_on_the_login(const link_loss& l) {
  return l.why.code() == errc::authentication_failed &&
         l.why.message().find("does not offer the login mechanism") != std::string::npos;
}

std::vector<std::string> undisturbed() {
  user alone;
  client c{{}, alone};
  alone.machine = &c.machine;
  c.feed(joined(frames()));
  return alone.lines;
}

void expect_recovery(const std::string& bytes, bool ends) {
  static const auto expected = undisturbed();
  const walk w(bytes, ends);
  EXPECT_EQ(w.lines, expected);
  EXPECT_GE(w.losses.size(), 1u);
  for (const auto& l : w.losses)
    EXPECT_TRUE(!l.verdict || is_verdict_on_the_login(l)) << l.why.message();
}

TEST(link_byte_walk, an_end_after_whatever_byte) {
  const auto whole = joined(frames());
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    SCOPED_TRACE(n);
    expect_recovery(whole.substr(0, n), true);
  }
}

TEST(link_byte_walk, silence_after_whatever_byte) {
  const auto whole = joined(frames());
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    SCOPED_TRACE(n);
    expect_recovery(whole.substr(0, n), false);
  }
}

TEST(link_byte_walk, damage_at_whatever_byte) {
  const auto whole = joined(frames());
  for (std::size_t n = 0; n < whole.size(); ++n)
    for (const int flip : {0x01, 0x02, 0x10, 0x80, 0xFF}) {
      SCOPED_TRACE(std::to_string(n) + " " + std::to_string(flip));
      auto damaged = whole;
      damaged[n] = static_cast<char>(damaged[n] ^ flip);
      expect_recovery(damaged, false);
    }
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    SCOPED_TRACE(n);
    auto longer = whole, shorter = whole;
    expect_recovery(longer.insert(n, 1, '\xCE'), false);
    if (n < whole.size()) expect_recovery(shorter.erase(n, 1), false);
  }
}

TEST(link_byte_walk, frames_that_are_missing_doubled_or_exchanged) {
  const auto all = frames();
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    auto changed = all;
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
    expect_recovery(joined(changed), false);
    changed = all;
    changed[i] += all[i];
    expect_recovery(joined(changed), false);
    for (std::size_t j = 0; j < i; ++j) {
      changed = all;
      std::swap(changed[i], changed[j]);
      expect_recovery(joined(changed), false);
    }
  }
}

TEST(link_byte_walk, frames_of_another_channel_another_length_or_without_their_end) {
  const auto all = frames();
  const auto with = [&](std::size_t i, std::size_t at, std::string_view bytes) {
    auto changed = all;
    changed[i].replace(at, bytes.size(), bytes);
    expect_recovery(joined(changed), false);
  };
  using namespace std::string_view_literals;
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    for (const auto channel : {"\0\0"sv, "\0\1"sv, "\0\2"sv, "\0\3"sv, "\xFF\xFF"sv})
      if (all[i].substr(1, 2) != channel) with(i, 1, channel);
    for (const auto length : {"\0\0\0\0"sv, "\0\0\0\1"sv, "\0\0\x10\0"sv, "\x7F\xFF\xFF\xFF"sv,
                              "\x80\0\0\0"sv, "\xFF\xFF\xFF\xFF"sv})
      with(i, 3, length);
    for (const auto end : {"\0"sv, "\xCD"sv, "\1"sv}) with(i, all[i].size() - 1, end);
  }
}

TEST(link_byte_walk, limits_that_make_no_sense) {
  for (const std::uint32_t frame_max : {1u, 8u, 4095u}) {
    const walk w(start() + tune(0, frame_max, 0) + open_ok(), false);
    ASSERT_EQ(w.losses.size(), 1u);
    EXPECT_THAT(w.losses[0].why.message(), HasSubstr("4096 is the minimum"));
  }
  // These mean no limit, or less than ours: that connection stands until it ends.
  for (const std::uint32_t frame_max : {0u, 0x7FFFFFFFu, 0x80000000u, 0xFFFFFFFFu}) {
    const walk w(start() + tune(0, frame_max, 0) + open_ok(), true);
    ASSERT_EQ(w.losses.size(), 1u);
    EXPECT_TRUE(w.losses[0].was_open);
  }
}

}  // namespace
}  // namespace oslo::messaging::protocol
