// Channels that go on refusing, as RabbitMQ's do that know an old way to a queue that has moved.
#include "publisher_fixture.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr auto moved = "moved";

class rabbit_publisher_staleness : public publisher_fixture {
 protected:
  /// A broker whose channel refuses what goes to `moved`, and takes the rest unless it is silent.
  void serve(std::function<bool()> refuses) {
    link.script.on(method::basic_publish, [this, refuses](const auto& r) -> std::string {
      const auto sequence = link.script.published(r.channel);
      sent += std::to_string(r.channel) + ":" + r.body + " ";
      if (r.body == "silent") return {};
      const bool to_moved = broker_script::tag_in(r) == moved;
      ++(to_moved ? tries : others);
      const bool refused = to_moved && refuses();
      return confirm(r.channel, refused ? method::basic_nack : method::basic_ack, sequence, false);
    });
    link.script.on(method::channel_open, [this](const auto& r) {
      ++channels;
      return amqp_script::channel_open_ok(r.channel);
    });
    link.connect();
  }
  void pass(std::chrono::milliseconds time) {
    for (auto left = time; left > 0ms; left -= publisher::again_after)
      advance(publisher::again_after);
  }
  send_ptr lasting(std::string body) {
    auto s = make(std::move(body), "openstack", moved);
    s->patience_refused = 24h;
    return s;
  }

  std::string sent;
  int channels = 0, tries = 0, others = 0;
};

TEST_F(rabbit_publisher_staleness, another_channel_is_tried_after_a_second_of_refusals) {
  serve([this] { return channels == 1; });
  publish(lasting("m"));
  link.run();
  pass(publisher::refusal_limit - publisher::again_after);
  EXPECT_EQ(channels, 1);
  EXPECT_FALSE(outcome.contains("m"));
  pass(3 * publisher::again_after);
  EXPECT_EQ(channels, 2);
  EXPECT_EQ(outcome["m"], "confirmed");
  publish("next", "openstack", moved);
  link.run();
  EXPECT_EQ(outcome["next"], "confirmed");
  EXPECT_EQ(link.lines.with("refuses all messages for").size(), 1u);
}

/// What is on the way is confirmed first; what comes meanwhile goes through the new channel.
TEST_F(rabbit_publisher_staleness, nothing_is_repeated_for_it) {
  serve([this] { return channels == 1; });
  publish(lasting("m"));
  link.run();
  pass(publisher::refusal_limit - publisher::again_after);
  publish("silent");
  link.run();
  const auto silent = link.script.published(1);
  sent.clear();
  advance(publisher::again_after);
  EXPECT_EQ(sent, "1:m ");
  publish("b");
  link.run();
  EXPECT_EQ(sent, "1:m ");
  EXPECT_EQ(channels, 1);
  ack(silent);
  link.run();
  EXPECT_EQ(channels, 2);
  EXPECT_EQ(outcome["silent"], "confirmed");
  EXPECT_EQ(outcome["b"], "confirmed");
  advance(publisher::again_after);
  EXPECT_EQ(outcome["m"], "confirmed");
  EXPECT_EQ(others, 1);
}

TEST_F(rabbit_publisher_staleness, a_queue_that_takes_some_keeps_its_channel) {
  serve([this] { return tries % 3 != 0; });
  for (int i = 0; i < 40; ++i) {
    publish(lasting("m" + std::to_string(i)));
    advance(publisher::again_after);
  }
  EXPECT_EQ(channels, 1);
}

/// As a full queue does that was declared with `reject-publish`.
TEST_F(rabbit_publisher_staleness, refusals_that_last_cost_few_channels) {
  serve([] { return true; });
  publish(lasting("m"));
  int sent_to_others = 0;
  for (int i = 0; i < 240; ++i) {
    publish("o" + std::to_string(i));
    ++sent_to_others;
    advance(publisher::again_after);
  }
  EXPECT_EQ(others, sent_to_others) << "each once";
  EXPECT_EQ(out.pending(), 1u);
  EXPECT_GE(channels, 4);
  EXPECT_LE(channels, 8) << "1, 2, 4, 8 and 16 s apart";
}

TEST_F(rabbit_publisher_staleness, a_silent_queue_beside_it_holds_up_the_others_only_briefly) {
  serve([] { return true; });
  publish(lasting("m"));
  publish("silent", "openstack", "quiet");
  for (int i = 0; i < 20; ++i) {
    publish("o" + std::to_string(i));
    advance(publisher::again_after);
  }
  EXPECT_EQ(channels, 1);
  EXPECT_GE(others, 19);
  EXPECT_EQ(sent.find("silent"), sent.rfind("silent")) << "not repeated: " << sent;
}

TEST_F(rabbit_publisher_staleness, a_connection_that_ends_meanwhile_begins_anew) {
  serve([] { return true; });
  publish(lasting("m"));
  link.run();
  pass(publisher::refusal_limit - publisher::again_after);
  publish("silent");
  advance(publisher::again_after);
  publish("o");
  link.run();
  EXPECT_FALSE(outcome.contains("o"));
  link.drop();
  link.connect();
  link.run();
  EXPECT_EQ(outcome["o"], "confirmed");
}

}  // namespace
}  // namespace oslo::messaging::rabbit
