// The signs of life that a monitored call gets, by a clock moved by hand.
#include <gtest/gtest.h>

#include <atomic>
#include <oslo/messaging/rpc.hpp>

#include "support/log_lines.hpp"
#include "support/stub_driver.hpp"
#include "testing/manual_loop.hpp"

namespace oslo::messaging::rpc {
namespace {

using namespace std::chrono_literals;

/// What became of the one request.
struct outcome {
  std::atomic<int> heartbeats{0};
  std::atomic<bool> answered{false};
  bool heartbeats_fail = false;
};

class monitored_message final : public incoming_message {
 public:
  monitored_message(double timeout, std::shared_ptr<outcome> o)
      : timeout_(timeout), outcome_(std::move(o)) {}
  std::span<const message_field> fields() const noexcept override { return fields_; }
  const context& ctxt() const noexcept override { return ctxt_; }
  std::string_view message_id() const noexcept override { return "id"; }
  std::optional<double> client_timeout() const noexcept override { return timeout_; }
  void acknowledge() override {}
  void requeue() override {}
  void reply(outgoing_reply r, unique_function<void(result<void>)> done) override {
    outcome_->answered = !r.failure;
    done({});
  }
  void heartbeat(unique_function<void(result<void>)>) override {
    ++outcome_->heartbeats;
    if (outcome_->heartbeats_fail) throw std::runtime_error("no way to the caller");
  }

 private:
  std::vector<message_field> fields_{{"method", "\"slow\""}};
  context ctxt_;
  double timeout_;
  std::shared_ptr<outcome> outcome_;
};

/// Hands out one message.
class one_message final : public listener {
 public:
  one_message(std::shared_ptr<scheduler> loop, std::unique_ptr<incoming_message> m)
      : loop_(std::move(loop)), message_(std::move(m)) {}
  void next(std::size_t, unique_function<void(incoming_batch)> done) override {
    if (!message_) {
      pull_ = std::move(done);
      return;
    }
    loop_->post([this, done = std::move(done)]() mutable {
      incoming_batch batch;
      batch.push_back(std::move(message_));
      done(std::move(batch));
    });
  }
  void stop() override {
    if (pull_) loop_->post([pull = std::move(pull_)]() mutable { pull({}); });
  }
  void ready(unique_function<void(result<void>)> done) override {
    loop_->post([done = std::move(done)]() mutable { done({}); });
  }

 private:
  std::shared_ptr<scheduler> loop_;
  std::unique_ptr<incoming_message> message_;
  unique_function<void(incoming_batch)> pull_;
};

class one_message_driver final : public testing::stub_driver {
 public:
  one_message_driver(std::shared_ptr<scheduler> loop, double timeout, std::shared_ptr<outcome> o)
      : stub_driver(std::move(loop)), timeout_(timeout), outcome_(std::move(o)) {}
  std::shared_ptr<listener> listen(target, listen_options) override {
    return std::make_unique<one_message>(loop_,
                                         std::make_unique<monitored_message>(timeout_, outcome_));
  }

 private:
  double timeout_;
  std::shared_ptr<outcome> outcome_;
};

class heartbeats : public ::testing::Test {
 protected:
  std::shared_ptr<outcome> seen = std::make_shared<outcome>();
  testing::log_lines log;
  std::shared_ptr<testing::manual_loop> loop = std::make_shared<testing::manual_loop>();

  /// Serves the request of a caller with that call_monitor_timeout, whose handler takes `work`, and
  /// returns after `total`.
  void serve(double timeout, std::chrono::milliseconds work, std::chrono::milliseconds total) {
    driver_registry registry;
    registry.add("one", [&](const transport_url&, driver_environment env) {
      return std::make_unique<one_message_driver>(env.loop, timeout, seen);
    });
    const auto bus =
        transport::open("one://", {.log = log.into(log_level::debug), .loop = loop}, registry);
    const auto e = std::make_shared<endpoint>();
    e->bind("slow", [&](responder<void> answer) {
      loop->run_at(loop->now() + work, [answer = std::move(answer)]() mutable { answer.reply(); });
    });
    server s(bus, {.topic = "t", .server = "s"}, {e}, {.executor = inline_executor()});
    s.start();
    loop->settle();
    loop->advance(total);
    s.stop();
    s.wait(20s);
  }
};

TEST_F(heartbeats, come_every_half_of_the_timeout_until_the_answer) {
  serve(7.0, 10s, 30s);
  EXPECT_TRUE(seen->answered);
  EXPECT_EQ(seen->heartbeats, 3);  // after 3, 6 and 9 s: the half is cut to whole seconds
}

TEST_F(heartbeats, that_fail_end_but_the_handler_still_answers) {
  seen->heartbeats_fail = true;
  serve(2.0, 3500ms, 10s);
  EXPECT_TRUE(seen->answered);
  EXPECT_EQ(seen->heartbeats, 1);
  EXPECT_EQ(log.with("Heartbeats of a request have ended").size(), 1u);
}

TEST_F(heartbeats, do_not_come_for_a_timeout_below_two_seconds) {
  serve(1.9, 3s, 10s);
  EXPECT_TRUE(seen->answered);
  EXPECT_EQ(seen->heartbeats, 0);
  EXPECT_EQ(log.count(log_level::warning, "Client provided an invalid timeout value of 1.9"), 1);
}

}  // namespace
}  // namespace oslo::messaging::rpc
