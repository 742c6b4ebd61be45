// fake:// takes the names that RabbitMQ takes, so that a test without it finds the others.
#include <gtest/gtest.h>

#include <future>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/transport.hpp>

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;

class inproc_names : public ::testing::Test {
 protected:
  std::string outcome_of(target to, bool notification = false) {
    std::promise<std::string> told;
    auto done = [&](result<reply> r) { told.set_value(r ? "sent" : text_of(r.error())); };
    outgoing_message m{};
    m.body = "{}";
    if (notification)
      bus.driver().send_notification(std::move(to), std::move(m), notification_format::envelope, {},
                                     done);
    else
      bus.driver().send(std::move(to), std::move(m), {}, done);
    return wait(told);
  }
  std::string outcome_of(const std::shared_ptr<listener>& l) {
    std::promise<std::string> told;
    l->ready([&](result<void> r) { told.set_value(r ? "ready" : text_of(r.error())); });
    return wait(told);
  }
  static std::string text_of(const failure& why) {
    EXPECT_EQ(why.code(), errc::invalid_argument);
    return why.message();
  }
  static std::string wait(std::promise<std::string>& told) {
    auto f = told.get_future();
    return f.wait_for(20s) == std::future_status::ready ? f.get() : "nothing";
  }
  static target to(std::string topic, std::optional<std::string> server = {}, bool fanout = false) {
    target t;
    t.topic = std::move(topic);
    t.server = std::move(server);
    t.fanout = fanout;
    return t;
  }

  const std::string longest = std::string(255, 'x');
  const std::string too_long =
      "A name of AMQP may have at most 255 bytes; this one has not: " + std::string(40, 'x') +
      "… (256 bytes)";
  transport bus = open_transport("fake://");
};

TEST_F(inproc_names, that_are_too_long_are_refused) {
  EXPECT_EQ(outcome_of(to(longest)), "sent");
  EXPECT_EQ(outcome_of(to(longest + "x")), too_long);
  EXPECT_EQ(outcome_of(to(longest + "x"), true), too_long);
  auto odd = to("t");
  odd.exchange = longest + "x";
  EXPECT_EQ(outcome_of(odd), too_long);
  // Names are made of them: TOPIC.SERVER, TOPIC_fanout.
  EXPECT_EQ(outcome_of(to(std::string(250, 'x'), "server")).substr(0, 23),
            "A name of AMQP may have");
  EXPECT_EQ(outcome_of(to(std::string(250, 'x'), {}, true)).substr(0, 23),
            "A name of AMQP may have");
}

TEST_F(inproc_names, that_are_no_text_are_refused) {
  EXPECT_EQ(outcome_of(to("t\xff")), "The name t\xef\xbf\xbd is not UTF-8.");
  EXPECT_EQ(outcome_of(to("zażółć")), "sent");
}

TEST_F(inproc_names, are_refused_by_listeners_too) {
  auto& d = bus.driver();
  EXPECT_EQ(outcome_of(d.listen(to("t", "s"), {})), "ready");
  EXPECT_EQ(outcome_of(d.listen(to("t", "s\xff"), {})), "The name t.s\xef\xbf\xbd is not UTF-8.");
  EXPECT_EQ(outcome_of(d.listen(to(longest, "s"), {})).substr(0, 23), "A name of AMQP may have");
  EXPECT_EQ(outcome_of(d.listen_for_notifications({{to("n"), "info"}}, longest + "x", {})),
            too_long);
}

}  // namespace
}  // namespace oslo::messaging
