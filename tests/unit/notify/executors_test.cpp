// What becomes of notifications whose executor, or deferred handler, does not do its work.
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/notify.hpp>
#include <stdexcept>

#include "support/log_lines.hpp"

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;
using work = unique_function<void()>;

/// Refuses the first piece of work, and runs all others at once.
class refusing_executor final : public executor {
 public:
  void execute(work w) override {
    if (std::exchange(refuses_, false)) throw 5;
    w();
  }
  std::size_t concurrency() const noexcept override { return 1; }

 private:
  bool refuses_ = true;
};

class odd_listeners : public ::testing::Test {
 protected:
  void tell(priority p) { ASSERT_TRUE(n.notify(p, {}, "event", 1).has_value()); }

  testing::log_lines log;
  transport bus = open_transport("fake://", {.log = log.into()});
  blocking::notifier n{bus, {.drivers = {{"messaging"}}, .topics = {{"t"}}}};
  std::shared_ptr<endpoint> e = std::make_shared<endpoint>();
};

TEST_F(odd_listeners, give_back_what_their_executor_has_refused) {
  std::promise<void> handled;
  e->bind(priority::info, [&](const notification&) { handled.set_value(); });
  listener l(bus, {{.topic = "t"}}, {e}, {.executor = std::make_shared<refusing_executor>()});
  l.start();
  tell(priority::info);
  EXPECT_EQ(handled.get_future().wait_for(20s), std::future_status::ready);
  EXPECT_EQ(log.count(log_level::error, "The executor refused a notification: an exception"), 1);
  EXPECT_TRUE(l.drain(20s));
}

TEST_F(odd_listeners, take_a_failure_without_an_exception_for_one) {
  e->bind(priority::info, [](const notification&, responder r) { r.fail(std::exception_ptr()); });
  listener l(bus, {{.topic = "t"}}, {e});
  l.start();
  tell(priority::info);
  EXPECT_TRUE(log.wait_for(log_level::error, "The handler failed without an exception."));
  EXPECT_TRUE(l.drain(20s));
}

TEST(null_handlers, are_refused_when_they_are_bound) {
  endpoint e;
  EXPECT_THROW(e.bind(priority::info, std::function<void(value)>()), configuration_error);
  EXPECT_THROW(e.bind(priority::info, static_cast<void (*)(value)>(nullptr)), configuration_error);
  EXPECT_THROW(e.bind_batch(priority::info, std::function<void(std::span<const notification>)>()),
               configuration_error);
}

}  // namespace
}  // namespace oslo::messaging::notify
