// A driver of an application that forgets, or hurries, its completions.
#include "core/guarded_driver.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "support/stub_driver.hpp"
#include "testing/manual_loop.hpp"

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;

/// Lets go of all completions, and brings a message that is none.
class odd_listener final : public listener {
 public:
  void next(std::size_t, unique_function<void(incoming_batch)> done) override {
    incoming_batch batch;
    batch.push_back(nullptr);
    done(std::move(batch));
  }
  void stop() override {}
  void ready(unique_function<void(result<void>)>) override {}
  void when_gone(unique_function<void()>) override {}
};

/// The same, but for what the test says about sends.
class odd_driver final : public testing::stub_driver {
 public:
  using stub_driver::stub_driver;
  void send(target, outgoing_message, send_options, send_completion done) override {
    if (with) with(std::move(done));
  }
  void send_notification(target, outgoing_message, notification_format, send_options,
                         send_completion done) override {
    if (with) with(std::move(done));
  }
  std::shared_ptr<listener> listen(target, listen_options) override {
    return std::make_shared<odd_listener>();
  }
  void probe(std::chrono::milliseconds,
             unique_function<void(result<std::chrono::microseconds>)>) override {}
  void close(std::chrono::milliseconds, unique_function<void()>) override {}

  std::function<void(send_completion)> with{};
};

class a_guarded_driver : public ::testing::Test {
 protected:
  a_guarded_driver() {
    auto made = std::make_unique<odd_driver>(loop);
    inner = made.get();
    guarded = guarded_driver(std::move(made), loop, {}, "mine");
  }
  /// What a send completes with, once it has returned.
  std::optional<result<reply>> send() {
    outcomes.clear();
    guarded->send({.topic = "t"}, {}, {}, [this](result<reply> r) {
      EXPECT_TRUE(loop->running_here());
      outcomes.push_back(std::move(r));
    });
    loop->settle();
    return outcomes.size() == 1 ? std::optional(outcomes.front()) : std::nullopt;
  }

  const std::shared_ptr<testing::manual_loop> loop = std::make_shared<testing::manual_loop>();
  odd_driver* inner = nullptr;
  std::unique_ptr<driver> guarded;
  std::vector<result<reply>> outcomes;
};

TEST_F(a_guarded_driver, that_lets_go_of_a_send_does_not_know_its_outcome) {
  const auto r = send();
  ASSERT_TRUE(r && r->has_error());
  EXPECT_EQ(r->error().code(), errc::outcome_unknown);
  EXPECT_EQ(r->error().message(), "The driver \"mine\" has let go of send unanswered.");
}

TEST_F(a_guarded_driver, that_lets_go_later_or_after_an_answer) {
  send_completion kept;
  inner->with = [&](send_completion done) { kept = std::move(done); };
  EXPECT_FALSE(send());
  kept = {};
  loop->settle();
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].error().code(), errc::outcome_unknown);

  inner->with = [](send_completion done) { done(reply{"1"}); };
  const auto r = send();
  ASSERT_TRUE(r && r->has_value());
  EXPECT_EQ((*r)->result, "1");
}

TEST_F(a_guarded_driver, does_not_keep_a_send_beyond_its_time_or_its_cancellation) {
  send_completion kept;
  inner->with = [&](send_completion done) { kept = std::move(done); };
  const auto begin = [&](send_options o) {
    outcomes.clear();
    guarded->send({.topic = "t"}, {}, std::move(o),
                  [this](result<reply> r) { outcomes.push_back(std::move(r)); });
    loop->settle();
    EXPECT_TRUE(outcomes.empty());
  };
  begin({.timeout = 5s});
  loop->advance(5'999ms);
  EXPECT_TRUE(outcomes.empty()) << "the driver itself may say more";
  loop->advance(1ms);
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].error().code(), errc::timed_out);
  EXPECT_EQ(outcomes[0].error().message(), "The driver \"mine\" has not answered within 5000 ms.");
  std::stop_source stop;
  begin({.cancel = stop.get_token()});
  stop.request_stop();
  loop->advance(999ms);
  EXPECT_TRUE(outcomes.empty());
  loop->advance(1ms);
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_EQ(outcomes[0].error().code(), errc::cancelled);
  kept(reply{});  // too late
  loop->settle();
  EXPECT_EQ(outcomes.size(), 1u);
}

TEST_F(a_guarded_driver, brings_no_message_that_there_is_not) {
  const auto l = guarded->listen({.topic = "t", .server = "s"}, {});
  std::optional<std::size_t> got;
  l->next(5, [&](incoming_batch batch) { got = batch.size(); });
  EXPECT_EQ(got, 0u);
}

TEST_F(a_guarded_driver, that_throws_after_it_let_go_says_what) {
  inner->with = [](send_completion) { throw std::runtime_error("boom"); };
  const auto r = send();
  ASSERT_TRUE(r && r->has_error());
  EXPECT_EQ(r->error().message(), "The driver \"mine\" threw in send: boom");
}

TEST_F(a_guarded_driver, completes_on_the_loop_after_its_member_has_returned) {
  bool returned = false, early = false;
  inner->with = [](send_completion done) { done(reply{}); };
  loop->post([&] {
    guarded->send({.topic = "t"}, {}, {}, [&](const result<reply>&) { early = !returned; });
    returned = true;
  });
  loop->settle();
  EXPECT_TRUE(returned);
  EXPECT_FALSE(early);

  std::jthread elsewhere;
  inner->with = [&](send_completion done) {
    elsewhere = std::jthread([done = std::move(done)]() mutable { done(reply{}); });
    elsewhere.join();
  };
  EXPECT_TRUE(send()) << "on the loop";
}

TEST_F(a_guarded_driver, harms_nobody_by_what_a_completion_throws) {
  bool went_on = false;
  send_completion kept;
  inner->with = [&](send_completion done) { kept = std::move(done); };
  guarded->send({.topic = "t"}, {}, {}, [](const result<reply>&) { throw 1; });
  loop->post([&] {
    kept(reply{});
    went_on = true;
  });
  EXPECT_ANY_THROW(loop->settle());
  EXPECT_TRUE(went_on);
}

TEST_F(a_guarded_driver, that_lets_go_of_all_else_ends_it) {
  std::vector<std::string> ends;
  guarded->send_notification({.topic = "t"}, {}, notification_format::bare, {},
                             [&](result<reply> r) { ends.push_back(r.error().message()); });
  guarded->probe(1s,
                 [&](result<std::chrono::microseconds> r) { ends.push_back(r.error().message()); });
  const auto l = guarded->listen({.topic = "t", .server = "s"}, {});
  l->ready([&](result<void> r) { ends.push_back(r.error().message()); });
  l->when_gone([&] { ends.push_back("gone"); });
  guarded->close(1s, [&] { ends.push_back("closed"); });
  loop->settle();
  EXPECT_EQ(ends, (std::vector<std::string>{
                      "The driver \"mine\" has let go of send_notification unanswered.",
                      "The driver \"mine\" has let go of probe unanswered.",
                      "The driver \"mine\" has let go of ready unanswered.", "gone", "closed"}));
}

}  // namespace
}  // namespace oslo::messaging
