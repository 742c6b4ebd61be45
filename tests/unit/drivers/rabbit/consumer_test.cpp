// Subscriptions on a link without a socket, against a broker that does exactly what the test says.
#include "drivers/rabbit/consumer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/fake_link.hpp"

namespace oslo::messaging::rabbit {
namespace {

using amqp091::method;
using amqp_script::broker_script;
using amqp_script::bytes;
using ::testing::ElementsAre;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class recording_channel : public consumer_channel {
 public:
  explicit recording_channel(std::vector<source> sources,
                             std::optional<std::uint16_t> prefetch = std::uint16_t{10})
      : consumer_channel(std::move(sources), prefetch) {}
  void on_ready() override { events.push_back("ready"); }
  void on_lost() override { events.push_back("lost"); }
  void on_removed() override { events.push_back("removed"); }
  void on_gone() override { events.push_back("gone"); }
  void on_refused(const failure& why) override { events.push_back("refused: " + why.message()); }
  void on_unreachable(const net::link_loss&) override { events.push_back("unreachable"); }
  bool is_ending() const noexcept override { return ending; }
  void on_malformed() override { events.push_back("malformed"); }
  void on_delivery(const amqp091::delivery& d) override {
    if (d.body == "throw") throw std::runtime_error("It cannot be read");
    last_tag = d.delivery_tag;
    events.push_back("delivery " + std::string(d.body));
  }
  std::vector<std::string> events;
  std::uint64_t last_tag = 0;
  bool ending = false;
};

class counting_channel final : public recording_channel {
 public:
  using recording_channel::recording_channel;
  void on_delivery(const amqp091::delivery&) override { ++taken; }
  std::size_t taken = 0;
};

class rabbit_consumer : public ::testing::Test, public consumer_owner {
 protected:
  rabbit_consumer() : in(link, *this) { link.serve(in); }

  void wake_at(net::link::instant when) override { wake = when; }
  void input_begins() override {}
  void input_done() override { ++reads; }

  std::shared_ptr<recording_channel> add(const std::string& topic = "calc") {
    auto s = std::make_shared<recording_channel>(
        server_sources({}, "openstack", topic, "host1", "0123"));
    in.add(s);
    return s;
  }
  std::shared_ptr<recording_channel> add_ready() {
    auto s = add();
    if (!link.is_open()) link.connect();
    link.run();
    EXPECT_TRUE(s->is_ready());
    s->events.clear();
    link.rest();
    return s;
  }
  void deliver(const std::string& body, std::uint64_t tag, const std::string& consumer_tag,
               amqp091::channel_id ch = 1) {
    link.send(amqp_script::deliver_method(ch, tag, consumer_tag) + amqp_script::content(ch, body));
  }
  void advance(std::chrono::milliseconds by) {
    link.advance(by);
    in.on_tick(link.now());
    link.run();
  }
  void advance_to_retry() {
    const auto next = in.next_deadline();
    ASSERT_NE(next, net::link::instant::max()) << "nothing is planned";
    advance(std::chrono::ceil<std::chrono::milliseconds>(next - link.now()));
  }

  amqp_script::fake_link link;
  consumer in;
  net::link::instant wake{};
  int reads = 0;
};

TEST_F(rabbit_consumer, declares_binds_and_consumes_every_queue_before_it_is_ready) {
  const auto s = add();
  EXPECT_EQ(link.opens, 1);
  link.connect();
  EXPECT_EQ(broker_script::name_in(link.next(method::exchange_declare)), "openstack");
  EXPECT_EQ(broker_script::name_in(link.next(method::queue_declare)), "calc");
  EXPECT_EQ(broker_script::name_in(link.next(method::queue_bind)), "calc");
  EXPECT_EQ(broker_script::name_in(link.next(method::queue_declare)), "calc.host1");
  EXPECT_EQ(broker_script::name_in(link.next(method::queue_declare)), "calc_fanout_0123");
  link.next(method::basic_consume);
  EXPECT_THAT(s->events, ElementsAre("ready"));
}

TEST_F(rabbit_consumer, asks_for_its_prefetch_before_it_consumes) {
  in.add(
      std::make_shared<recording_channel>(std::vector{reply_source({}, "ab")}, std::uint16_t{7}));
  link.connect();
  EXPECT_EQ(link.next(method::basic_qos).arguments, bytes("00000000 0007 00"));
  link.next(method::basic_consume);
}

TEST_F(rabbit_consumer, without_a_limit_says_so_and_without_a_wish_says_nothing) {
  in.add(
      std::make_shared<recording_channel>(std::vector{reply_source({}, "ab")}, std::uint16_t{0}));
  link.connect();
  EXPECT_EQ(link.next(method::basic_qos).arguments, bytes("00000000 0000 00"));
  in.add(std::make_shared<recording_channel>(std::vector{reply_source({}, "cd")}, std::nullopt));
  for (const auto& r : link.rest()) EXPECT_NE(r.what, method::basic_qos);
}

/// The bytes of Python's client (docs/wire/rabbitmq.md, RMQ-11 and RMQ-14).
TEST_F(rabbit_consumer, a_quorum_queue_is_declared_and_consumed_as_by_python) {
  options o;
  o.quorum = {true, false, 3, 100, 1000};
  o.cancel_on_failover = true;  // which a quorum queue does not take
  in.add(std::make_shared<recording_channel>(server_sources(o, "x", "t", "s", "u")));
  link.connect();
  EXPECT_EQ(link.next(method::exchange_declare).arguments,
            bytes("0000 01'x' 05'topic' 02 00000000"));
  EXPECT_EQ(link.next(method::queue_declare).arguments,
            bytes("0000 01't' 02 00000065 0c'x-queue-type' 'S' 00000006'quorum' "
                  "10'x-delivery-limit' 'I' 00000003 16'x-max-in-memory-length' 'I' 00000064 "
                  "15'x-max-in-memory-bytes' 'I' 000003e8"));
  EXPECT_EQ(link.next(method::basic_consume).arguments, bytes("0000 01't' 01'1' 00 00000000"));
  EXPECT_EQ(link.next(method::basic_consume).arguments, bytes("0000 03't.s' 01'2' 00 00000000"));
  EXPECT_EQ(link.next(method::basic_consume).arguments,
            bytes("0000 0a't_fanout_u' 01'3' 00 0000001a 17'x-cancel-on-ha-failover' 't' 01"));
}

// ---- queues with lasting names ------------------------------------------------------------------

class rabbit_named_consumer : public rabbit_consumer {
 protected:
  rabbit_named_consumer() {
    link.script.on(method::queue_declare, [this](const broker_script::request& r) {
      const auto n = declared < consumers.size() ? consumers[declared] : 0;
      ++declared;
      return amqp_script::declare_ok(r.channel, broker_script::name_in(r), 0, n);
    });
  }
  /// What the answers to declarations say, one after the other; then nought.
  void listen(std::vector<std::uint32_t> answers) {
    consumers = std::move(answers);
    options o;
    o.names = {"h", "p", "", ""};
    channel = std::make_shared<recording_channel>(std::vector{reply_source(o, "h:p:1")});
    in.add(channel);
    link.connect();
  }
  std::vector<std::uint32_t> consumers;
  std::size_t declared = 0;
  std::shared_ptr<recording_channel> channel;
};

constexpr auto somebody_else =
    "Cannot consume reply_h:p:1: another process at broker:5672 consumes it. With "
    "use_queue_manager each process needs a hostname and processname of its own, unless all share "
    "one /dev/shm.";

TEST_F(rabbit_named_consumer, looks_whether_it_is_alone_before_and_after_it_consumes) {
  listen({0, 1});
  EXPECT_THAT(channel->events, ElementsAre("ready"));
  EXPECT_EQ(declared, 2u);
}

TEST_F(rabbit_named_consumer, a_queue_that_another_process_consumes_is_refused_the_second_time) {
  listen({1, 2, 1, 2});
  EXPECT_FALSE(channel->is_ready());
  EXPECT_EQ(link.lines.count(log_level::warning, somebody_else), 1);
  EXPECT_THAT(channel->events, ElementsAre("lost"));
  advance_to_retry();
  EXPECT_THAT(channel->events,
              ElementsAre("lost", "lost", std::string("refused: ") + somebody_else));
  consumers.clear();  // it has gone
  advance_to_retry();
  EXPECT_TRUE(channel->is_ready());
}

/// Both found the queue free.
TEST_F(rabbit_named_consumer, of_two_that_come_at_the_same_time_neither_stays_unnoticed) {
  listen({0, 2});
  EXPECT_FALSE(channel->is_ready());
  EXPECT_EQ(link.lines.count(log_level::warning, somebody_else), 1);
  consumers.clear();
  advance_to_retry();
  EXPECT_TRUE(channel->is_ready());
}

/// The broker may not have noticed yet that the old connection is gone.
TEST_F(rabbit_named_consumer, after_a_loss_its_former_self_is_nobody_else) {
  listen({0, 1});
  consumers = {0, 0, 1, 2};
  link.drop();
  link.connect();
  EXPECT_TRUE(channel->is_ready());
  EXPECT_EQ(declared, 3u);
}

// ---- streams ------------------------------------------------------------------------------------

class rabbit_stream_consumer : public rabbit_consumer {
 protected:
  rabbit_stream_consumer() {
    options o;
    o.stream_fanout = o.quorum.transient = true;
    listening = std::make_shared<recording_channel>(server_sources(o, "x", "t", "s", "u"));
    in.add(listening);
    link.connect();
  }
  /// What the last consumer that was asked for wants to begin with.
  std::string begins_with() {
    for (;;) {
      const auto r = link.next(method::basic_consume);
      if (broker_script::name_in(r) == "t_fanout") {
        stream_tag = broker_script::tag_in(r);
        return r.arguments.substr(r.arguments.find("x-stream-offset") + 15);
      }
    }
  }
  void deliver_at(std::int64_t offset, std::uint64_t tag, const std::string& consumer_tag) {
    amqp091::properties p;
    p.headers = amqp091::field_table{{"x-stream-offset", offset}};
    link.send(amqp_script::deliver_method(1, tag, consumer_tag) +
              amqp_script::content(1, "body", p));
  }
  std::shared_ptr<recording_channel> listening;
  std::string stream_tag;
};

TEST_F(rabbit_stream_consumer, begins_with_what_comes_next) {
  EXPECT_EQ(begins_with(), bytes("'S' 00000004 'next'"));
  EXPECT_THAT(listening->events, ElementsAre("ready"));
}

/// RabbitMQ answers before it has looked up where the stream ends.
TEST_F(rabbit_stream_consumer, is_ready_when_the_broker_answers_something_behind_its_consume_ok) {
  auto later = std::make_shared<std::string>();
  int asked = 0;
  link.script.on(method::basic_qos, [&, later](const broker_script::request& r) {
    return ++asked == 1 ? amqp_script::method_frame(r.channel, method::basic_qos_ok)
                        : std::string();
  });
  link.drop();
  link.connect();
  EXPECT_EQ(asked, 2);
  EXPECT_FALSE(listening->is_ready());
  link.send(amqp_script::method_frame(1, method::basic_qos_ok));
  EXPECT_TRUE(listening->is_ready());
}

TEST_F(rabbit_stream_consumer, goes_on_behind_the_last_message_over_connections) {
  begins_with();
  deliver_at(41, 1, stream_tag);
  link.drop();
  link.connect();
  EXPECT_EQ(begins_with(), bytes("'l' 000000000000002a"));
  link.drop();
  link.connect();
  EXPECT_EQ(begins_with(), bytes("'l' 000000000000002a"));
}

TEST_F(rabbit_stream_consumer, without_a_message_goes_on_by_the_clock) {
  begins_with();
  link.drop();
  link.connect();
  EXPECT_EQ(begins_with().substr(0, 1), "T");
}

TEST_F(rabbit_stream_consumer, a_stream_that_is_deleted_is_another_one) {
  begins_with();
  deliver_at(41, 1, stream_tag);
  link.send(amqp_script::method_frame(1, method::basic_cancel, [&](amqp091::writer& w) {
    w.shortstr(stream_tag);
    w.u8(1);
  }));
  advance_to_retry();
  EXPECT_EQ(begins_with().substr(0, 1), "T");
}

class rabbit_doubtful_stream : public rabbit_stream_consumer {
 protected:
  /// Connected again, behind message 41, to a stream of so many.
  rabbit_doubtful_stream() {
    begins_with();
    deliver_at(41, 1, stream_tag);
    link.script.on(method::queue_declare, [this](const broker_script::request& r) {
      looks += broker_script::name_in(r) == "t_fanout" ? 1 : 0;
      return amqp_script::declare_ok(r.channel, broker_script::name_in(r), messages);
    });
    link.drop();
    link.connect();
    EXPECT_EQ(begins_with(), bytes("'l' 000000000000002a"));
    looks = 0;
  }
  void look_when(std::uint32_t there_are) {
    messages = there_are;
    advance(10s);
  }
  std::uint32_t messages = 0;
  int looks = 0;
};

/// The broker gives nothing below the offset, and says nothing about it.
TEST_F(rabbit_doubtful_stream, that_grows_without_a_word_is_another_one) {
  look_when(3);
  EXPECT_EQ(looks, 1);
  EXPECT_TRUE(listening->is_ready());
  look_when(3);
  EXPECT_EQ(link.lines.count(log_level::warning,
                             "Stream t_fanout at broker:5672 grows and gives nothing"),
            1);
  EXPECT_FALSE(listening->is_ready());
  advance_to_retry();
  EXPECT_EQ(begins_with().substr(0, 1), "T");
  EXPECT_TRUE(listening->is_ready());
  deliver_at(0, 1, stream_tag);
  link.drop();
  link.connect();
  EXPECT_EQ(begins_with(), bytes("'l' 0000000000000001"));
}

/// Of an old stream, that has less than its offsets say, the messages were late.
TEST_F(rabbit_doubtful_stream, that_is_the_same_after_all_is_read_without_a_gap) {
  for (const auto n : {3u, 3u}) look_when(n);
  advance_to_retry();
  EXPECT_EQ(begins_with().substr(0, 1), "T");
  listening->events.clear();
  deliver_at(50, 1, stream_tag);
  EXPECT_THAT(listening->events, ElementsAre("lost"));
  advance_to_retry();
  EXPECT_EQ(begins_with(), bytes("'l' 000000000000002a"));
}

TEST_F(rabbit_doubtful_stream, that_is_quiet_is_asked_now_and_then) {
  for (int i = 0; i < 100; ++i) look_when(42);
  EXPECT_EQ(looks, 100);
  EXPECT_TRUE(listening->is_ready());
}

TEST_F(rabbit_doubtful_stream, that_gives_a_message_is_asked_no_more) {
  look_when(42);
  look_when(43);
  deliver_at(42, 1, stream_tag);
  for (int i = 0; i < 10; ++i) look_when(43);
  EXPECT_EQ(looks, 2);
  EXPECT_EQ(in.next_deadline(), net::link::instant::max());
}

TEST_F(rabbit_doubtful_stream, of_one_that_is_ending_is_left_alone) {
  listening->ending = true;
  look_when(42);
  EXPECT_EQ(looks, 0);
  EXPECT_EQ(in.next_deadline(), net::link::instant::max());
}

/// A publisher may write the header into what goes to a queue.
TEST_F(rabbit_stream_consumer, offsets_of_other_queues_are_no_offsets) {
  begins_with();
  deliver_at(41, 1, stream_tag);
  deliver_at(99, 2, "1");
  link.drop();
  link.connect();
  EXPECT_EQ(begins_with(), bytes("'l' 000000000000002a"));
}

TEST_F(rabbit_stream_consumer, leaves_the_stream_to_the_others) {
  begins_with();
  in.remove(listening);
  for (const auto& r : link.rest()) EXPECT_NE(r.what, method::queue_delete);
}

TEST_F(rabbit_consumer, is_not_ready_before_the_last_consumer_is) {
  link.script.on(method::basic_consume, [](const broker_script::request& r) {
    return broker_script::name_in(r) == "calc"
               ? std::string()
               : amqp_script::consume_ok(r.channel, broker_script::tag_in(r));
  });
  const auto s = add();
  link.connect();
  const auto first = link.next(method::basic_consume);
  EXPECT_FALSE(s->is_ready());
  // RabbitMQ lets queues answer for themselves: the first may come last.
  link.send(amqp_script::consume_ok(1, broker_script::tag_in(first)));
  EXPECT_TRUE(s->is_ready());
}

TEST_F(rabbit_consumer, sets_everything_up_again_and_settles_nothing_of_the_old_channel) {
  const auto s = add_ready();
  deliver("old", 1, "1");
  const auto old_lifetime = s->lifetime();
  link.drop();
  link.connect();
  EXPECT_THAT(s->events, ElementsAre("delivery old", "lost", "ready"));
  link.rest();
  in.ack(*s, old_lifetime, 1);
  in.reject(*s, old_lifetime, 1, true);
  for (const auto& r : link.rest()) EXPECT_NE(r.what, method::basic_ack);
  deliver("new", 1, "4");
  in.ack(*s, s->lifetime(), 1);
  EXPECT_EQ(amqp091::reader{link.next(method::basic_ack).arguments}.u64(), 1u);
}

/// RabbitMQ deletes what a node that died had held, by its names, and what bears one of them since.
TEST_F(rabbit_consumer, queues_that_vanish_without_a_word_after_a_loss_are_set_up_again) {
  const auto s = add_ready();
  link.drop();
  link.connect();
  link.rest();
  const auto there = [](const broker_script::request& r) {
    return amqp_script::declare_ok(r.channel, broker_script::name_in(r));
  };
  link.script.on(method::queue_declare, there);
  advance(1s);
  for (const auto* name : {"calc", "calc.host1", "calc_fanout_0123"}) {
    const auto look = link.next(method::queue_declare);
    EXPECT_EQ(broker_script::name_in(look), name);
    EXPECT_TRUE((look.arguments[2 + 1 + std::string(name).size()] & 1) != 0) << "passive";
  }
  EXPECT_THAT(s->events, ElementsAre("lost", "ready"));

  link.script.on(method::queue_declare, [](const broker_script::request& r) {
    return amqp_script::close_frame(r.channel, 404, "NOT_FOUND - no queue 'calc' in vhost '/'",
                                    method::queue_declare);
  });
  advance(2s);
  EXPECT_THAT(s->events, ElementsAre("lost", "ready", "lost"));
  link.script.on(method::queue_declare, there);
  advance_to_retry();
  EXPECT_THAT(s->events, ElementsAre("lost", "ready", "lost", "ready"));
}

TEST_F(rabbit_consumer, queues_are_looked_at_for_a_minute_after_a_loss_and_never_without_one) {
  const auto s = add_ready();
  EXPECT_EQ(in.next_deadline(), net::link::instant::max());
  link.drop();
  link.connect();
  const auto since = link.now();
  while (in.next_deadline() != net::link::instant::max()) {
    ASSERT_LE(link.now() - since, 2min);
    advance_to_retry();
  }
  EXPECT_EQ(link.now() - since, 63s);
  EXPECT_THAT(s->events, ElementsAre("lost", "ready"));
}

/// A queue that lasts is not deleted with its node.
TEST_F(rabbit_consumer, queues_that_last_are_not_looked_at) {
  options o;
  o.durable = true;
  const auto s = std::make_shared<recording_channel>(
      std::vector{server_sources(o, "openstack", "calc", "host1", "0123").front()});
  in.add(s);
  link.connect();
  link.drop();
  link.connect();
  EXPECT_THAT(s->events, ElementsAre("ready", "lost", "ready"));
  EXPECT_EQ(in.next_deadline(), net::link::instant::max());
}

TEST_F(rabbit_consumer, a_consumer_that_the_broker_cancels_is_set_up_again) {
  const auto s = add_ready();
  link.send(amqp_script::method_frame(1, method::basic_cancel, [](amqp091::writer& w) {
    w.shortstr("1");
    w.u8(1);
  }));
  link.next(method::channel_close);
  advance_to_retry();
  EXPECT_THAT(s->events, ElementsAre("lost", "ready"));
  EXPECT_EQ(link.connections, 1);
}

/// It would be sent messages that it gives back at once, and those again, as fast as both can.
TEST_F(rabbit_consumer, what_is_ending_is_not_set_up_again) {
  const auto s = add_ready();
  s->ending = true;  // it only waits for what its handlers have in work
  in.stop_deliveries(s);
  link.drop();
  link.connect();
  advance(1min);
  EXPECT_THAT(s->events, ElementsAre("lost"));
  EXPECT_THAT(link.rest(), ::testing::Each(::testing::Field(&broker_script::request::what,
                                                            ::testing::Ne(method::basic_consume))));
  EXPECT_EQ(in.next_deadline(), net::link::instant::max());
  in.remove(s);
  EXPECT_THAT(s->events, ElementsAre("lost", "removed", "gone"));
}

TEST_F(rabbit_consumer, what_was_never_set_up_and_is_ending_stays_so) {
  link.script.on(method::queue_declare, [](const broker_script::request& r) {
    return amqp_script::close_frame(r.channel, 404, "NOT_FOUND - down", method::queue_declare);
  });
  const auto s = add();
  link.connect();
  link.script.as_usual(method::queue_declare);
  s->ending = true;
  in.stop_deliveries(s);
  advance(1min);
  EXPECT_THAT(s->events, ElementsAre("lost"));
}

/// Its handlers can still acknowledge what they have: with the channel all that would come again.
TEST_F(rabbit_consumer, a_queue_that_is_deleted_under_what_is_ending_changes_nothing) {
  const auto s = add_ready();
  deliver("in work", 1, "1");
  s->ending = true;
  in.stop_deliveries(s);
  link.rest();
  link.send(amqp_script::method_hex(1, method::basic_cancel, "01'1' 01"));
  in.ack(*s, s->lifetime(), 1);
  EXPECT_EQ(link.next(method::basic_ack).channel, 1);
  EXPECT_THAT(s->events, ElementsAre("delivery in work"));
}

TEST_F(rabbit_consumer, the_end_of_a_subscription_deletes_its_private_queues_only) {
  const auto s = add_ready();
  in.stop_deliveries(s);
  EXPECT_EQ(link.rest().size(), 3u);
  in.remove(s);
  const auto requests = link.rest();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(broker_script::name_in(requests[0]), "calc_fanout_0123");
  EXPECT_EQ(requests[0].what, method::queue_delete);
  EXPECT_EQ(requests[1].what, method::channel_close);
  EXPECT_THAT(s->events, ElementsAre("lost", "removed", "gone"));
}

TEST_F(rabbit_consumer, a_failed_pass_is_reported) {
  const auto s = add_ready();
  link.drop();
  link.fail_pass();
  link.fail_pass();
  EXPECT_THAT(s->events, ElementsAre("lost", "unreachable", "unreachable"));
  link.fail_pass({errc::authentication_failed, "no"}, true);
  EXPECT_EQ(s->events.back(), "refused: no");
  EXPECT_EQ(add()->events.back(), "refused: no") << "what comes later learns it at once";
  link.connect();
  EXPECT_EQ(s->events.back(), "ready");
}

// ---- refused ------------------------------------------------------------------------------------

TEST_F(rabbit_consumer, a_refused_queue_is_reported_with_the_brokers_words_and_tried_again) {
  link.script.on(method::queue_declare, [](const broker_script::request& r) {
    return amqp_script::close_frame(r.channel, 406, "PRECONDITION_FAILED - inequivalent arg",
                                    method::queue_declare);
  });
  const auto s = add();
  link.connect();
  ASSERT_EQ(s->events.size(), 2u);
  EXPECT_EQ(s->events[0], "lost");
  EXPECT_NE(s->events[1].find("inequivalent arg"), std::string::npos) << s->events[1];
  EXPECT_TRUE(link.is_open()) << "other subscriptions go on";
  EXPECT_GE(in.next_deadline() - link.now(), 5s);
  EXPECT_LE(in.next_deadline() - link.now(), 10s);
  EXPECT_EQ(wake, in.next_deadline());
  link.script.as_usual(method::queue_declare);
  advance_to_retry();
  EXPECT_EQ(s->events.back(), "ready");
}

/// What RabbitMQ says of an acknowledgement is no word about the queue.
TEST_F(rabbit_consumer, a_channel_that_ends_over_an_acknowledgement_is_replaced_at_once) {
  const auto s = add_ready();
  link.send(amqp_script::close_frame(1, 406,
                                     "PRECONDITION_FAILED - delivery acknowledgement on "
                                     "channel 1 timed out. Timeout value used: 1800000 ms"));
  EXPECT_THAT(s->events, ElementsAre("lost"));
  advance_to_retry();
  EXPECT_THAT(s->events, ElementsAre("lost", "ready"));
  link.send(amqp_script::close_frame(1, 406, "PRECONDITION_FAILED - unknown delivery tag 1",
                                     method::basic_ack));
  EXPECT_THAT(s->events, ElementsAre("lost", "ready", "lost"));
  EXPECT_LE(in.next_deadline(), link.now() + 1s);
}

TEST_F(rabbit_consumer, pauses_after_a_refusal_differ) {
  link.script.on(method::queue_declare, [](const broker_script::request& r) {
    return amqp_script::close_frame(r.channel, 403, "ACCESS_REFUSED", method::queue_declare);
  });
  add();
  link.connect();
  std::set<net::link::instant::duration> pauses;
  for (int i = 0; i < 10; ++i) {
    pauses.insert(in.next_deadline() - link.now());
    advance_to_retry();
  }
  EXPECT_GT(pauses.size(), 1u);
}

/// What vanished between two steps (with a node, or with its last user) is not a verdict.
TEST_F(rabbit_consumer, a_topology_that_vanished_between_two_steps_is_declared_again_at_once) {
  link.script.on(method::queue_bind, [gone = false](const broker_script::request& r) mutable {
    return std::exchange(gone, true)
               ? amqp_script::method_frame(r.channel, method::queue_bind_ok)
               : amqp_script::close_frame(r.channel, 404,
                                          "NOT_FOUND - no exchange 'openstack' in vhost '/'",
                                          method::queue_bind);
  });
  const auto s = add();
  link.connect();
  EXPECT_THAT(s->events, ElementsAre("lost"));
  EXPECT_EQ(in.next_deadline(), link.now());
  advance(0ms);
  EXPECT_EQ(s->events.back(), "ready");
}

TEST_F(rabbit_consumer, a_queue_whose_node_is_away_is_tried_every_second) {
  link.script.on(method::queue_declare, [](const broker_script::request& r) {
    return amqp_script::close_frame(
        r.channel, 404,
        "NOT_FOUND - home node 'rabbit@a' of durable queue 'calc' in vhost '/' is down or "
        "inaccessible",
        method::queue_declare);
  });
  const auto s = add();
  link.connect();
  for (int i = 0; i < 50; ++i) {
    ASSERT_LE(in.next_deadline() - link.now(), 1s);
    advance_to_retry();
  }
  EXPECT_GE(link.lines.count(log_level::error, "is down or inaccessible"), 1);
  EXPECT_LE(link.lines.count(log_level::error, "is down or inaccessible"), 2) << "in 50 s";
  link.script.as_usual(method::queue_declare);
  advance_to_retry();
  EXPECT_EQ(s->events.back(), "ready");
}

TEST_F(rabbit_consumer, a_set_up_that_is_not_answered_is_tried_again) {
  link.script.on(method::basic_consume, [](const broker_script::request&) { return ""; });
  const auto s = add();
  link.connect();
  EXPECT_EQ(in.next_deadline(), link.now() + 15s);
  link.script.as_usual(method::basic_consume);
  advance(15s);
  EXPECT_THAT(s->events, ElementsAre("lost", "ready"));
  EXPECT_EQ(in.next_deadline(), net::link::instant::max());
  EXPECT_EQ(link.connections, 1);
}

/// Nothing else would end a connection whose broker sends heartbeats and does not read.
TEST_F(rabbit_consumer, a_connection_that_opens_no_channel_is_left) {
  for (const auto m :
       {method::channel_open, method::channel_close, method::basic_qos, method::exchange_declare,
        method::queue_declare, method::queue_bind, method::basic_consume})
    link.script.on(m, [](const broker_script::request&) { return std::string(); });
  add();
  link.connect();
  advance(15s);
  EXPECT_FALSE(link.renewed) << "once is no proof";
  advance(15s);
  ASSERT_TRUE(link.renewed);
  EXPECT_EQ(link.renewed->message(), "broker:5672 has opened no channel");
}

TEST_F(rabbit_consumer, acknowledgements_leave_in_groups_when_many_are_in_work) {
  const auto s = std::make_shared<recording_channel>(
      std::vector{notification_source({}, "openstack", "n.info")}, std::uint16_t{256});
  in.add(s);
  link.connect();
  link.rest();
  deliver("1", 1, "1");
  in.ack(*s, s->lifetime(), 1);
  EXPECT_EQ(in.next_deadline(), net::link::instant::max()) << "at once";
  for (std::uint64_t tag = 2; tag <= 20; ++tag) deliver(std::to_string(tag), tag, "1");
  EXPECT_EQ(in.next_deadline(), net::link::instant::max());
  in.ack(*s, s->lifetime(), 2);
  in.ack(*s, s->lifetime(), 3);
  EXPECT_EQ(in.next_deadline(), link.now() + 2ms);
  EXPECT_EQ(wake, link.now() + 2ms);
  advance(2ms);
  EXPECT_EQ(in.next_deadline(), net::link::instant::max());
  in.ack(*s, s->lifetime(), 4);
  deliver("21", 21, "1");
  EXPECT_EQ(in.next_deadline(), net::link::instant::max()) << "with what comes next";
}

TEST_F(rabbit_consumer, acknowledgements_leave_in_groups_without_a_prefetch_too) {
  const auto s = std::make_shared<recording_channel>(
      std::vector{notification_source({}, "openstack", "n.info")}, std::uint16_t{0});
  in.add(s);
  link.connect();
  link.rest();
  for (std::uint64_t tag = 1; tag <= 100; ++tag) deliver(std::to_string(tag), tag, "1");
  for (std::uint64_t tag = 1; tag <= 80; ++tag) in.ack(*s, s->lifetime(), tag);
  EXPECT_EQ(in.next_deadline(), link.now() + 2ms);
}

TEST_F(rabbit_consumer, messages_that_cannot_be_read_make_no_acknowledgement_late) {
  const auto s = add_ready();
  for (std::uint64_t tag = 1; tag <= 20; ++tag) deliver("throw", tag, "1");
  deliver("good", 21, "1");
  in.ack(*s, s->lifetime(), 21);
  EXPECT_EQ(in.next_deadline(), net::link::instant::max()) << "at once";
}

/// Each queue may have as many on the way as were asked for; a broker that sends ever more would
/// fill the memory.
TEST_F(rabbit_consumer, a_broker_that_sends_far_more_than_was_asked_for_loses_the_channel) {
  const auto s = add_ready();
  const std::uint64_t most = 2 * 3 * 10;
  for (std::uint64_t tag = 1; tag <= most; ++tag) deliver("x", tag, "1");
  in.ack(*s, s->lifetime(), 1);
  deliver("one more", most + 1, "1");
  EXPECT_EQ(s->events.back(), "delivery one more");
  deliver("too much", most + 2, "1");
  EXPECT_EQ(s->events.back(), "lost");
  EXPECT_EQ(link.next(method::channel_close).channel, 1);
  EXPECT_EQ(link.lines.count(log_level::error, "sent more than 60 messages"), 1);
  advance_to_retry();
  EXPECT_EQ(s->events.back(), "ready");
}

TEST_F(rabbit_consumer, without_a_prefetch_a_million_messages_cost_the_channel) {
  const auto s = std::make_shared<counting_channel>(
      std::vector{notification_source({}, "openstack", "n.info")}, std::uint16_t{0});
  in.add(s);
  link.connect();
  link.rest();
  constexpr std::size_t most = 1'000'000;
  const amqp091::properties props;
  amqp091::delivery d{.channel = 1, .consumer_tag = "1", .props = &props};
  for (d.delivery_tag = 1; d.delivery_tag <= most; ++d.delivery_tag) in.on_delivery(d);
  EXPECT_EQ(s->events.back(), "ready");
  EXPECT_EQ(s->taken, most);
  in.on_delivery(d);
  EXPECT_EQ(s->events.back(), "lost");
  EXPECT_EQ(link.next(method::channel_close).channel, 1);
}

TEST_F(rabbit_consumer, a_subscription_without_a_channel_says_so_and_gets_the_next_one) {
  link.options.channel_max = 1;
  const auto first = add();
  link.connect();
  const auto second = add("other");
  ASSERT_EQ(second->events.size(), 1u);
  EXPECT_NE(second->events[0].find("Cannot consume other: All 1 channels"), std::string::npos)
      << second->events[0];
  EXPECT_NE(in.next_deadline(), net::link::instant::max());
  in.remove(first);
  link.run();
  EXPECT_NE(second->events.back(), "ready") << "it may be given up just now";
  advance(50ms);
  EXPECT_EQ(second->events.back(), "ready") << "without waiting for its time";
}

/// RabbitMQ ends the connection over a channel that the user may not have any more.
TEST_F(rabbit_consumer, who_finds_no_channel_is_told_so_and_leaves_the_others_alone) {
  link.script.on(method::channel_open, [](const broker_script::request& r) {
    return r.channel < 3 ? amqp_script::channel_open_ok(r.channel)
                         : amqp_script::close_frame(
                               0, 530,
                               "NOT_ALLOWED - number of channels opened for user 'u' has "
                               "reached the maximum allowed user limit of (2)");
  });
  const auto one = add("one"), two = add("two"), three = add("three"), four = add("four");
  link.connect();
  EXPECT_FALSE(link.is_open());
  link.connect();
  EXPECT_TRUE(one->is_ready());
  EXPECT_TRUE(two->is_ready());
  for (const auto& beyond : {three, four}) {
    ASSERT_EQ(beyond->events.size(), 2u);
    EXPECT_THAT(beyond->events[1], StartsWith("refused: broker:5672 refused with code 530"));
  }
  advance(59s);
  EXPECT_TRUE(link.is_open());
  link.script.as_usual(method::channel_open);
  advance(2s);
  EXPECT_TRUE(three->is_ready());
  EXPECT_TRUE(four->is_ready());
}

TEST_F(rabbit_consumer, a_name_that_cannot_be_encoded_is_refused_for_good) {
  link.connect();
  const auto s = add(std::string(256, 'x'));
  link.run();
  ASSERT_EQ(s->events.size(), 2u);
  EXPECT_EQ(s->events[1].substr(0, 78),
            "refused: Cannot consume " + std::string(40, 'x') + "… (256 bytes");
  EXPECT_LT(s->events[1].size(), 200u);
  EXPECT_EQ(in.next_deadline(), net::link::instant::max());
  EXPECT_TRUE(add_ready()->is_ready()) << "others go on";
}

TEST_F(rabbit_consumer, a_name_that_is_no_text_is_refused_for_good) {
  link.connect();
  const auto s = add("bad\xff");
  link.run();
  ASSERT_EQ(s->events.size(), 2u);
  EXPECT_NE(s->events[1].find("is not UTF-8"), std::string::npos) << s->events[1];
  EXPECT_EQ(in.next_deadline(), net::link::instant::max());
  EXPECT_TRUE(link.is_open());
}

TEST_F(rabbit_consumer, the_end_of_what_was_refused_by_a_shut_link_is_complete) {
  link.shut_down();
  const auto s = add();
  in.remove(s);
  ASSERT_EQ(s->events.size(), 3u);
  EXPECT_EQ(s->events[1], "removed");
  EXPECT_EQ(s->events[2], "gone");
}

// ---- messages -----------------------------------------------------------------------------------

/// Tag and requeue of a basic.reject.
std::pair<std::uint64_t, bool> rejected(const broker_script::request& r) {
  amqp091::reader in{r.arguments};
  const auto tag = in.u64();
  return {tag, in.u8() != 0};
}

TEST_F(rabbit_consumer, a_message_that_cannot_be_read_hurts_only_itself) {
  const auto s = add_ready();
  deliver("throw", 1, "1");
  deliver("good", 2, "1");
  EXPECT_THAT(s->events, ElementsAre("malformed", "delivery good"));
  EXPECT_EQ(rejected(link.next(method::basic_reject)), std::pair(std::uint64_t{1}, false));
  EXPECT_EQ(link.lines.count(log_level::error, "It cannot be read. Skipping it."), 1);
  EXPECT_EQ(link.connections, 1);
}

TEST_F(rabbit_consumer, a_message_with_properties_that_cannot_be_read_hurts_only_itself) {
  const auto s = add_ready();
  const auto other = add("other");
  link.run();
  other->events.clear();
  const auto undefined_flags = amqp_script::header_with(1, 2, amqp_script::bytes("0003"));
  link.send(amqp_script::deliver_method(1, 1, "1") + undefined_flags +
            amqp_script::frame(amqp091::frame_type::body, 1, "{}") +
            amqp_script::deliver_method(1, 2, "1") + amqp_script::content(1, "good") +
            amqp_script::deliver_method(2, 1, "4") + amqp_script::content(2, "elsewhere"));
  EXPECT_THAT(s->events, ElementsAre("malformed", "delivery good"));
  EXPECT_THAT(other->events, ElementsAre("delivery elsewhere"));
  EXPECT_TRUE(link.is_open());
  const auto requests = link.rest();
  EXPECT_EQ(std::count_if(requests.begin(), requests.end(),
                          [](const auto& r) { return r.what == method::basic_reject; }),
            1);
  EXPECT_EQ(link.lines.count(log_level::error, "Failed to process message from"), 1);
}

/// RabbitMQ 4.3 ends the connection over a queue that is neither durable nor exclusive.
TEST_F(rabbit_consumer, a_forbidden_queue_is_its_own_listeners_trouble) {
  options durable;
  durable.durable = true;
  durable.quorum.transient = true;
  const auto good = std::make_shared<recording_channel>(
      server_sources(durable, "openstack", "good", "host1", "0123"));
  in.add(good);
  link.connect();
  link.script.on(method::queue_declare, [](const broker_script::request& r) {
    return broker_script::name_in(r) == "calc"
               ? amqp_script::close_frame(
                     0, 541, "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.",
                     method::queue_declare)
               : amqp_script::declare_ok(r.channel, broker_script::name_in(r));
  });
  const auto bad = add();
  link.run();
  ASSERT_EQ(bad->events.size(), 2u);
  EXPECT_EQ(bad->events[0], "lost");
  EXPECT_NE(bad->events[1].find("refused: broker:5672 refused with code 541"), std::string::npos);
  EXPECT_NE(bad->events[1].find("amqp_durable_queues"), std::string::npos) << bad->events[1];
  EXPECT_THAT(good->events, ElementsAre("ready", "lost"));

  link.connect();
  EXPECT_THAT(good->events, ElementsAre("ready", "lost", "ready"));
  advance(59s);
  EXPECT_TRUE(good->is_ready()) << "the other one is not tried on its connection so soon";
  link.script.as_usual(method::queue_declare);
  advance(2s);
  EXPECT_TRUE(bad->is_ready());
}

/// The broker ends the connection over it, and does not say of which queue it speaks.
TEST_F(rabbit_consumer, what_is_not_permitted_any_more_is_told_its_listener_alone) {
  const auto good = add_ready();
  const auto words = "INTERNAL_ERROR - Feature `queue_master_locator` is deprecated.";
  link.script.on(method::queue_declare, [&](const broker_script::request& r) {
    return broker_script::name_in(r) == "bad"
               ? amqp_script::close_frame(0, 541, words, method::queue_declare)
               : amqp_script::declare_ok(r.channel, broker_script::name_in(r));
  });
  // While the other one is set up again, too.
  link.script.on(method::basic_consume, [](const auto&) { return std::string(); });
  link.drop();
  const auto bad = add("bad");
  link.connect();
  link.script.as_usual(method::basic_consume);
  EXPECT_THAT(
      bad->events,
      ElementsAre("lost", std::string("refused: broker:5672 refused with code 541: ") + words));
  link.connect();
  EXPECT_TRUE(good->is_ready());
  EXPECT_THAT(good->events, ::testing::Not(::testing::Contains(::testing::HasSubstr("refused"))));
  advance(59s);
  EXPECT_TRUE(good->is_ready()) << "the other one is not tried on its connection so soon";
  link.script.as_usual(method::queue_declare);
  advance(2s);
  EXPECT_TRUE(bad->is_ready());
}

TEST_F(rabbit_consumer, an_internal_error_during_a_set_up_is_tried_again) {
  const auto s = add();
  link.script.on(method::queue_declare, [](const broker_script::request&) {
    return amqp_script::close_frame(0, 541, "INTERNAL_ERROR", method::queue_declare);
  });
  link.connect();
  link.script.as_usual(method::queue_declare);
  link.connect();
  EXPECT_TRUE(s->is_ready());
  EXPECT_THAT(s->events, ElementsAre("lost", "ready"));
}

}  // namespace
}  // namespace oslo::messaging::rabbit
