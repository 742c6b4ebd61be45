#include "drivers/amqp1/listener.hpp"

#include "engine_fixture.hpp"

namespace oslo::messaging::amqp1 {
namespace {

class amqp1_listening : public engine_fixture {
 protected:
  std::shared_ptr<listener> l;
  std::vector<std::string> verdicts;
  incoming_batch batch;
  int pulls = 0;

  void listen(std::vector<destination> from = {topic()}, std::uint32_t credit = 10) {
    l = e->listen(std::move(from), credit);
    l->ready([this](const result<void>& r) {
      verdicts.push_back(r.has_value() ? "ready" : r.error().message());
    });
    link.run();
  }
  void pull(std::size_t max = 100) {
    l->next(max, [this](incoming_batch b) {
      ++pulls;
      for (auto& m : b) batch.push_back(std::move(m));
    });
    link.run();
  }
  void deliver(const std::string& body, const message_head& head = {}) {
    std::string bytes;
    write_message(bytes, head, body);
    link.broker.deliver(address, bytes);
    link.run();
  }
  void TearDown() override {
    batch.clear();
    l.reset();
    engine_fixture::TearDown();
  }
  static std::string request(const std::string& method) {
    return R"({"request": {"method": ")" + method + R"("}, "context": {"u": 1}})";
  }
  std::string address = "unicast.openstack.t";
};

TEST_F(amqp1_listening, subscribes_to_each_address_and_is_ready) {
  start();
  auto all = topic(), one = topic();
  all.what = destination::kind::multicast;
  one.what = destination::kind::unicast;
  one.server = "s";
  listen({one, all, topic()});
  EXPECT_THAT(verdicts, IsEmpty());
  connect();
  EXPECT_THAT(verdicts, ElementsAre("ready"));
  EXPECT_TRUE(l->consuming());
  EXPECT_TRUE(link.broker.has_link("exclusive.openstack.t.s", true));
  EXPECT_TRUE(link.broker.has_link("broadcast.openstack.t.all", true));
  EXPECT_EQ(link.broker.credit_of("unicast.openstack.t"), 10);
}

TEST_F(amqp1_listening, a_node_that_only_senders_make_is_made) {
  link.broker.missing.insert(address);
  connect();
  listen();
  EXPECT_THAT(verdicts, IsEmpty());
  link.advance(250ms);
  EXPECT_THAT(verdicts, ElementsAre("ready"));
  EXPECT_THAT(link.broker.attached,
              ElementsAre("from " + address, "to " + address, "from " + address));
}

TEST_F(amqp1_listening, refusals_are_told_and_tried_again) {
  link.broker.refused[address] = "amqp:unauthorized-access";
  connect();
  listen();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_THAT(verdicts[0], HasSubstr("The subscription to unicast.openstack.t was refused: "
                                     "amqp:unauthorized-access"));
  link.broker.refused.clear();
  link.advance(5s);
  EXPECT_TRUE(l->consuming());
}

TEST_F(amqp1_listening, a_redirect_is_told_and_tried_again) {
  link.broker.refused[address] = "amqp:link:redirect";
  connect();
  listen();
  ASSERT_EQ(verdicts.size(), 1u);
  EXPECT_THAT(verdicts[0], HasSubstr("was refused, in favour of elsewhere:5673"));
  link.broker.refused.clear();
  link.advance(5s);
  EXPECT_TRUE(l->consuming());
}

TEST_F(amqp1_listening, a_message_arrives_with_what_its_sender_said) {
  connect();
  listen();
  pull();
  const std::vector<message_header> headers{{"traceparent", "00"}};
  deliver(request("m"), {.message_id = "id-1",
                         .reply_to = "back",
                         .headers = headers,
                         .time = {.limit_ms = 5000, .sent_ms = 1, .sender = 2}});
  ASSERT_EQ(batch.size(), 1u);
  const auto& m = *batch[0];
  EXPECT_EQ(m.field("method"), "\"m\"");
  EXPECT_EQ(m.ctxt(), (context{{"u", 1}}));
  EXPECT_EQ(m.message_id(), "id-1");
  EXPECT_THAT(m.headers(), ElementsAre(message_header{"traceparent", "00"}));
  EXPECT_EQ(m.deadline(), loop->now() + 5s);
  EXPECT_FALSE(m.redelivered());
  batch[0]->acknowledge();
  batch[0]->acknowledge();
  link.run();
  EXPECT_EQ(link.broker.outcome(0), "accepted");
}

TEST_F(amqp1_listening, a_cast_has_no_id_though_its_message_has) {
  connect();
  listen();
  pull();
  deliver(request("m"), {.message_id = "id-1"});
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0]->message_id(), "");
}

TEST_F(amqp1_listening, credit_is_given_again_as_messages_are_settled) {
  connect();
  listen({topic()}, 4);
  for (int i = 0; i < 4; ++i) deliver(request("m"), {.message_id = std::to_string(i)});
  EXPECT_EQ(link.broker.credit_of(address), 0);
  pull();
  ASSERT_EQ(batch.size(), 4u);
  batch[0]->acknowledge();
  link.run();
  EXPECT_EQ(link.broker.credit_of(address), 0);
  batch[1]->acknowledge();
  link.run();
  EXPECT_EQ(link.broker.credit_of(address), 2);
}

TEST_F(amqp1_listening, messages_given_back_and_dropped_ones_come_again) {
  connect();
  listen();
  pull();
  deliver(request("a"), {.message_id = "1"});
  batch[0]->requeue();
  link.run();
  EXPECT_EQ(link.broker.outcome(0), "modified");
  pull();
  deliver(request("a"), {.message_id = "1"});  // the same again is no duplicate
  ASSERT_EQ(batch.size(), 2u);
  batch.clear();
  link.run();
  EXPECT_EQ(link.broker.outcome(1), "modified");
}

TEST_F(amqp1_listening, second_copies_are_settled_and_not_handed_out) {
  connect();
  listen();
  pull();
  deliver(request("a"), {.message_id = "1"});
  batch[0]->acknowledge();
  pull();
  deliver(request("a"), {.message_id = "1"});
  EXPECT_EQ(batch.size(), 1u);
  EXPECT_EQ(link.broker.outcome(1), "accepted");
  deliver(request("another"), {.message_id = "1"});
  EXPECT_EQ(batch.size(), 2u);
}

TEST_F(amqp1_listening, many_copies_are_two_lines) {
  connect();
  listen();
  pull();
  deliver(request("a"), {.message_id = "1"});
  batch[0]->acknowledge();
  pull();
  for (int i = 0; i < 100; ++i) deliver(request("a"), {.message_id = "1"});
  link.advance(30s);
  EXPECT_EQ(link.lines.count(log_level::warning, ""), 2);
  EXPECT_EQ(link.lines.count(log_level::warning, "Ignored 99 more duplicate messages"), 1);
}

TEST_F(amqp1_listening, a_copy_of_a_message_in_work_is_settled_with_it) {
  connect();
  listen();
  pull();
  deliver(request("a"), {.message_id = "1"});
  batch[0]->acknowledge_later();
  link.drop();
  connect();
  pull();
  deliver(request("a"), {.message_id = "1"});
  EXPECT_EQ(batch.size(), 1u);
  EXPECT_EQ(link.broker.outcome(0), "");
  batch[0]->acknowledge();
  link.run();
  EXPECT_EQ(link.broker.outcome(0), "accepted");
}

TEST_F(amqp1_listening, what_cannot_be_read_is_rejected) {
  connect();
  listen();
  pull();
  deliver("no JSON");
  link.broker.deliver(address, "garbage");
  link.run();
  EXPECT_EQ(link.broker.outcome(0), "rejected");
  EXPECT_EQ(link.broker.outcome(1), "rejected");
  EXPECT_EQ(pulls, 0);
  EXPECT_EQ(link.lines.count(log_level::error, "is dropped"), 2);
}

TEST_F(amqp1_listening, after_a_loss_it_subscribes_again) {
  connect();
  listen();
  deliver(request("waits here"), {.message_id = "1"});
  link.drop();
  EXPECT_FALSE(l->consuming());
  connect();
  EXPECT_TRUE(l->consuming());
  pull();
  EXPECT_EQ(pulls, 0);  // the broker has it, and delivers it again
  deliver(request("waits here"), {.message_id = "1"});
  EXPECT_EQ(batch.size(), 1u);
}

TEST_F(amqp1_listening, a_link_that_ends_is_attached_again) {
  connect();
  listen();
  link.broker.detach(address, true, "amqp:resource-deleted");
  link.run();
  EXPECT_FALSE(l->consuming());
  link.advance(250ms);
  EXPECT_TRUE(l->consuming());
}

TEST_F(amqp1_listening, stop_gives_back_what_waits_and_keeps_what_runs) {
  connect();
  listen();
  pull(1);
  deliver(request("a"), {.message_id = "1"});
  deliver(request("b"), {.message_id = "2"});
  ASSERT_EQ(batch.size(), 1u);
  pull();
  ASSERT_EQ(batch.size(), 2u);
  batch.pop_back();
  link.run();
  deliver(request("c"), {.message_id = "3"});
  l->stop();
  link.run();
  EXPECT_EQ(link.broker.outcome(2), "released");
  EXPECT_TRUE(link.broker.has_link(address, true));
  bool gone = false;
  l->when_gone([&] { gone = true; });
  EXPECT_FALSE(gone);
  batch[0]->acknowledge();
  link.run();
  EXPECT_TRUE(gone);
  EXPECT_EQ(link.broker.outcome(0), "accepted");
  EXPECT_FALSE(link.broker.has_link(address, true));
  pull();
  EXPECT_EQ(pulls, 3);
}

TEST_F(amqp1_listening, replies_go_over_the_relay) {
  connect();
  listen();
  pull();
  deliver(request("a"), {.message_id = "theirs", .reply_to = "back"});
  batch[0]->acknowledge();
  std::vector<bool> done;
  batch[0]->reply({"5", std::nullopt}, [&](result<void> r) { done.push_back(r.has_value()); });
  link.run();
  EXPECT_THAT(done, ElementsAre(true));
  ASSERT_EQ(link.broker.received.size(), 1u);
  EXPECT_EQ(link.broker.received[0].address, "");
  EXPECT_FALSE(link.broker.received[0].settled)
      << "one for a caller who is gone would end the link";
  const auto m = sections(0);
  EXPECT_EQ(m.body, R"({"response": 5})");
  EXPECT_EQ(m.correlation_id, "theirs");
}

TEST_F(amqp1_listening, or_over_a_link_of_their_own_where_there_is_none) {
  link.broker.relay = false;
  connect();
  listen();
  pull();
  deliver(request("a"), {.message_id = "theirs", .reply_to = "back"});
  batch[0]->acknowledge();
  batch[0]->reply({"5", std::nullopt}, {});
  batch[0]->heartbeat({});
  link.run();
  ASSERT_EQ(link.broker.received.size(), 2u);
  EXPECT_EQ(link.broker.received[0].address, "back");
  EXPECT_EQ(sections(1).kind, incoming_sections::body_kind::null);
  EXPECT_EQ(sections(1).correlation_id, "theirs");
}

TEST_F(amqp1_listening, a_caller_who_is_gone_is_one_quiet_line) {
  link.broker.relay = false;
  link.broker.refused["back"] = "amqp:not-found";
  connect();
  listen();
  pull();
  deliver(request("a"), {.message_id = "1", .reply_to = "back"});
  batch[0]->acknowledge();
  std::vector<bool> done;
  batch[0]->reply({"5", std::nullopt}, [&](result<void> r) { done.push_back(r.has_value()); });
  link.run();
  EXPECT_THAT(done, ElementsAre(false));
  EXPECT_EQ(link.lines.count(log_level::warning, ""), 0);
  EXPECT_EQ(link.lines.count(log_level::error, ""), 0);
}

TEST_F(amqp1_listening, a_heartbeat_that_is_asked_after_has_an_outcome) {
  link.broker.relay = false;
  connect();
  listen();
  pull();
  deliver(request("a"), {.message_id = "1", .reply_to = "back"});
  batch[0]->acknowledge();
  std::vector<errc> done;
  const auto note = [&](const result<void>& r) { done.push_back(r ? errc{} : r.error().code()); };
  batch[0]->heartbeat(note);
  link.run();
  EXPECT_THAT(done, ElementsAre(errc{}));
  EXPECT_FALSE(link.broker.received.at(0).settled);
  batch[0]->heartbeat({});
  link.run();
  EXPECT_TRUE(link.broker.received.at(1).settled);
}

TEST_F(amqp1_listening, over_the_relay_brokers_say_differently_that_a_caller_is_gone) {
  link.broker.accepts = false;
  connect();
  listen();
  pull();
  deliver(request("a"), {.message_id = "1", .reply_to = "back"});
  batch[0]->acknowledge();
  std::vector<errc> done;
  const auto beat = [&](const char* name, const char* words) {
    batch[0]->heartbeat([&](result<void> r) { done.push_back(r ? errc{} : r.error().code()); });
    link.run();
    link.broker.settle(PN_REJECTED, name, false, words);
    link.run();
  };
  beat("amqp:not-found", "");
  beat("failed", "AMQ119002: target address back does not exist");
  beat("failed", "the disk is full");
  EXPECT_THAT(done, ElementsAre(errc::undeliverable, errc::undeliverable, errc::rejected));
}

TEST_F(amqp1_listening, what_runs_when_the_transport_closes_goes_to_others) {
  connect();
  listen();
  pull();
  deliver(request("a"), {.message_id = "1"});
  e->close(1s, [] {});
  link.run();
  EXPECT_EQ(link.broker.outcome(0), "modified");
}

TEST_F(amqp1_listening, a_call_through_a_broker_comes_back) {
  link.broker.routes = true;
  connect();
  listen();
  pull();
  call("a");
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0]->field("method"), "\"a\"");
  batch[0]->acknowledge();
  batch[0]->reply({R"("done")", std::nullopt}, {});
  link.run();
  EXPECT_THAT(ends["a"], ElementsAre("\"done\""));
}

}  // namespace
}  // namespace oslo::messaging::amqp1
