// An outbox on the only thread that runs the loop of an application.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/notify.hpp>

#include "support/gated_driver.hpp"

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;

class outboxes_on_the_only_thread : public ::testing::Test {
 protected:
  notifier make() {
    return notifier(testing::open_gated(gate, {.loop = asio_scheduler(io.get_executor())}),
                    {.drivers = {{"messagingv2"}}});
  }
  static result<void> post(outbox& box) { return box.post(priority::info, {}, "e", 1); }
  void on_the_thread(std::function<void()> f) {
    boost::asio::post(io, std::move(f));
    io.run();
  }

  boost::asio::io_context io;
  std::shared_ptr<testing::gate_keeper> gate = std::make_shared<testing::gate_keeper>();
};

TEST_F(outboxes_on_the_only_thread, are_not_flushed) {
  outbox box(make(), {.linger = 0ms});
  errc got{};
  on_the_thread([&] {
    EXPECT_TRUE(post(box).has_value());
    got = box.flush(1h).error().code();
  });
  EXPECT_EQ(got, errc::would_deadlock);
}

TEST_F(outboxes_on_the_only_thread, do_not_wait_for_room) {
  outbox box(make(), {.max_messages = 1, .rule = when_full::wait, .wait_limit = 1h, .linger = 0ms});
  errc got{};
  on_the_thread([&] {
    EXPECT_TRUE(post(box).has_value());
    got = post(box).error().code();
  });
  EXPECT_EQ(got, errc::would_deadlock);
  EXPECT_EQ(box.counts().refused, 1u);
}

TEST_F(outboxes_on_the_only_thread, end_without_waiting) {
  outbox_counts at_the_end;
  on_the_thread([&] {
    outbox box(make(), {.linger = 1h});
    EXPECT_TRUE(post(box).has_value());
    box.close(1h);
    at_the_end = box.counts();
  });
  EXPECT_EQ(at_the_end.failed, 1u);
}

}  // namespace
}  // namespace oslo::messaging::notify
