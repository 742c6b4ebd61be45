#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify.hpp>
#include <thread>

#include "notify/drivers.hpp"
#include "testing/manual_loop.hpp"
#include "unit/notify/recording_sink.hpp"

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;
using strings = std::vector<std::string>;
using answer = unique_function<void(result<void>)>;

/// Does what the test says.
class obedient final : public notification_driver {
 public:
  explicit obedient(std::function<void(answer)> what) : what_(std::move(what)) {}
  void notify(const outgoing_notification&, answer done) const override { what_(std::move(done)); }

 private:
  std::function<void(answer)> what_;
};

class custom_drivers : public ::testing::Test {
 protected:
  notifier with(std::shared_ptr<const notification_driver> d, notifier_options o = {}) {
    o.drivers = strings{"mine"};
    o.custom_drivers = {{"mine", std::move(d)}};
    return notifier(bus, std::move(o));
  }
  result<void> report_of(std::function<void(answer)> what) {
    std::promise<result<void>> told;
    with(std::make_shared<obedient>(std::move(what)))
        .post(priority::info, {}, "ev", 1, [&](result<void> r) {
          EXPECT_TRUE(bus.loop().running_here());
          told.set_value(std::move(r));
        });
    return told.get_future().get();
  }
  transport bus = messaging::open_transport("fake://", {.log = logger{}});
};

TEST_F(custom_drivers, get_each_message_as_it_would_be_sent) {
  const auto own = std::make_shared<recording_sink>();
  const auto n = with(own, {.publisher_id = "p", .retry = 3, .redact = whole_context});
  EXPECT_EQ(n.drivers(), strings{"mine"});
  EXPECT_TRUE(blocking::notifier(n).warn(context{{"user", "ada"}}, "ev", value{{"x", 1}}));
  const auto all = own->all();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].ctxt, (context{{"user", "ada"}}));
  EXPECT_EQ(all[0].event_type, "ev");
  EXPECT_EQ(all[0].priority, priority::warn);
  EXPECT_EQ(all[0].retry, 3);
  const auto message = parse_json(all[0].body).get_object();
  EXPECT_EQ(message.at("message_id").as_string(), all[0].message_id);
  EXPECT_EQ(message.at("publisher_id"), "p");
  EXPECT_EQ(message.at("payload"), (value{{"x", 1}}));
}

TEST_F(custom_drivers, are_chosen_by_the_options) {
  const auto own = std::make_shared<recording_sink>();
  const auto configured = open_transport(
      "fake://",
      {.conf = config::parse("[oslo_messaging_notifications]\ndriver = mine\ndriver = noop\n")});
  const blocking::notifier n{configured, {.custom_drivers = {{"mine", own}}}};
  EXPECT_TRUE(n.info({}, "ev", 1).has_value());
  EXPECT_EQ(own->events(), strings{"ev"});
}

TEST_F(custom_drivers, may_answer_on_any_thread) {
  std::jthread elsewhere;
  const auto r = report_of([&](answer done) {
    elsewhere =
        std::jthread([done = std::move(done)]() mutable { done(failure(errc::rejected, "no")); });
  });
  EXPECT_EQ(r.error().message(), "no");
}

TEST_F(custom_drivers, that_break_their_contract_lose_no_report) {
  EXPECT_EQ(report_of([](answer) {}).error().message(),
            "A custom notification driver has dropped the message without an answer.");
  EXPECT_EQ(report_of([](answer) { throw std::runtime_error("broken"); }).error().message(),
            "A custom notification driver has failed: broken");
  EXPECT_EQ(report_of([](answer) { throw 1; }).error().code(), errc::not_sent);
  EXPECT_EQ(report_of([](answer) {
              throw messaging_error({errc::rejected, "refused"});
            })
                .error()
                .code(),
            errc::rejected);
  EXPECT_TRUE(report_of([](answer done) {
                done({});
                done(failure(errc::rejected, "too late"));
                throw 1;
              }).has_value());
}

/// Keeps all that it gets.
class hoarder final : public notification_driver {
 public:
  void notify(const outgoing_notification&, answer done) const override {
    kept.push_back(std::move(done));
  }
  mutable std::vector<answer> kept{};
};

class hoarding_drivers : public ::testing::Test {
 protected:
  ~hoarding_drivers() override {
    keeps->kept.clear();  // the last reports
    loop->settle();
  }
  void send(outgoing_notification n = {}) {
    driver->notify(n, [this](result<void> r) { reports.push_back(std::move(r)); });
    loop->settle();
  }

  const std::shared_ptr<hoarder> keeps = std::make_shared<hoarder>();
  const std::shared_ptr<testing::manual_loop> loop = std::make_shared<testing::manual_loop>();
  const std::shared_ptr<const notification_driver> driver = custom_driver(keeps, loop);
  std::vector<result<void>> reports;
};

TEST_F(hoarding_drivers, do_not_outlast_the_timeout) {
  send({.timeout = 5s});
  loop->advance(4'999ms);
  EXPECT_TRUE(reports.empty());
  loop->advance(1ms);
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].error().code(), errc::timed_out);
  EXPECT_EQ(reports[0].error().message(),
            "A custom notification driver has not answered within 5000 ms.");
  keeps->kept.clear();  // too late
  loop->settle();
  EXPECT_EQ(reports.size(), 1u);
}

TEST_F(hoarding_drivers, do_not_outlast_a_cancellation) {
  std::stop_source stop;
  send({.cancel = stop.get_token()});
  EXPECT_TRUE(reports.empty());
  stop.request_stop();
  loop->settle();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].error().code(), errc::cancelled);
}

TEST_F(hoarding_drivers, get_no_more_messages_than_they_may_owe_answers_for) {
  for (int i = 0; i < 200'000; ++i) driver->notify({}, [](result<void>) {});
  send();
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports[0].error().code(), errc::limit_exceeded);
  keeps->kept.back()({});
  loop->settle();
  send();
  EXPECT_EQ(reports.size(), 1u) << "there is room again";
}

TEST_F(custom_drivers, that_never_answer_do_not_hold_a_thread_or_a_coroutine) {
  const auto keeps = std::make_shared<hoarder>();
  const blocking::notifier n{with(keeps, {.timeout = 10ms})};
  EXPECT_EQ(n.info({}, "ev", 1).error().message(),
            "A custom notification driver has not answered within 10 ms.");
  std::stop_source stop;
  const blocking::notifier patient{with(keeps)};
  auto waiting = std::async(std::launch::async, [&] {
    return patient.notify(priority::info, {}, "ev", 1, stop.get_token());
  });
  stop.request_stop();
  EXPECT_EQ(waiting.get().error().code(), errc::cancelled);
}

TEST_F(custom_drivers, of_an_outbox_are_asked_again) {
  std::atomic<int> calls{0};
  const auto n = with(std::make_shared<obedient>([&](answer done) {
    if (++calls == 1) throw std::runtime_error("for now");
    done({});
  }));
  outbox box(n);
  EXPECT_TRUE(box.post(priority::info, {}, "ev", 1).has_value());
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(box.counts().delivered, 1u);
}

}  // namespace
}  // namespace oslo::messaging::notify
