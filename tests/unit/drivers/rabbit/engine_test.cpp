// What a transport over RabbitMQ makes of trouble, against a broker that does what the test says.
#include "drivers/rabbit/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <oslo/messaging/asio.hpp>
#include <stdexcept>
#include <stop_token>

#include "drivers/rabbit/listener.hpp"
#include "support/lock_holder.hpp"
#include "support/log_lines.hpp"
#include "support/scripted_broker.hpp"
#include "wire/compression.hpp"
#include "wire/reply.hpp"
#include "wire/request.hpp"

namespace oslo::messaging::rabbit {
namespace {

using amqp091::method;
using amqp_script::broker_script;
using amqp_script::confirm;
using amqp_script::scripted_broker;
using namespace std::chrono_literals;

class rabbit_engine : public ::testing::Test {
 protected:
  rabbit_engine() : broker(io) { start(); }
  ~rabbit_engine() override { end(); }
  void end() {
    bool closed = false;
    driver->close(1s, [&] { closed = true; });
    broker.run_until([&] { return closed; }, "the end of the driver");
  }
  void start(options o = {}) {
    o.link = broker.settings();
    driver_environment env;
    env.loop = asio_scheduler(io.get_executor());
    env.log = log.into();
    driver = std::make_shared<engine>(std::move(o), env,
                                      std::dynamic_pointer_cast<net::asio_loop>(env.loop));
    driver->start();
  }

  void call(send_options o = {}) {
    o.wait_for_reply = true;
    driver->call(topic_destination({}, "openstack", "t"), {R"({"method": "m", "args": {}})", {}},
                 std::move(o), take());
  }
  void cast(send_options o = {}) {
    driver->send(topic_destination({}, "openstack", "t"), "{}", {}, std::move(o), take());
  }
  send_completion take() {
    return [this](result<reply> r) {
      EXPECT_FALSE(outcome) << "it ends once";
      outcome = std::move(r);
    };
  }
  failure wait_for_failure() {
    broker.run_until([&] { return outcome.has_value(); }, "the outcome");
    EXPECT_TRUE(outcome->has_error());
    return outcome->error();
  }

  testing::log_lines log;
  boost::asio::io_context io;
  scripted_broker broker;
  std::shared_ptr<engine> driver;
  std::optional<result<reply>> outcome;
};

TEST_F(rabbit_engine, a_cast_is_complete_once_the_broker_has_it) {
  cast();
  broker.next(method::basic_publish);
  EXPECT_FALSE(outcome);
  broker.send(confirm(1, method::basic_ack, 1, false));
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->has_value());
}

/// As kombu does it: the header names the codec, the rest of the properties is that of JSON.
TEST_F(rabbit_engine, everything_that_is_sent_may_be_compressed) {
  end();
  options compressing;
  compressing.compression = wire::codec::bzip2;
  start(std::move(compressing));
  const auto written = [](const broker_script::request& r) {
    EXPECT_EQ(r.props.content_type, "application/json");
    EXPECT_EQ(r.props.content_encoding, "utf-8");
    const auto* how = r.props.headers.value().find("compression");
    EXPECT_TRUE(how != nullptr && *how == amqp091::field_value("application/x-bz2"));
    return wire::decompress(wire::codec::bzip2, r.body, 1'000).value();
  };
  cast();
  const auto first = broker.next(method::basic_publish);
  EXPECT_EQ(written(first), "{}");
  broker.send(confirm(1, method::basic_ack, 1, false), first.connection);
  outcome.reset();
  call();
  const auto consume = broker.next(method::basic_consume);
  const auto request = broker.next(method::basic_publish);
  const auto id = std::string(wire::read_request(written(request)).value().msg_id);

  const auto answer = [&](std::uint64_t tag, const std::string& body) {
    amqp091::properties p;
    p.content_type = "application/json";
    p.headers = amqp091::field_table{{"compression", "gzip"}};
    broker.send(amqp_script::deliver_method(consume.channel, tag, "1") +
                    amqp_script::content(consume.channel, body, p),
                consume.connection);
  };
  answer(1, "no zlib");
  EXPECT_FALSE(outcome);
  EXPECT_EQ(log.count(log_level::error, "its compressed body is broken"), 1);
  std::string reply;
  wire::write_reply(reply, {.result = "42"}, id, "u");
  answer(2, wire::compress(wire::codec::zlib, reply));
  ASSERT_TRUE(outcome && outcome->has_value());
  EXPECT_EQ((**outcome).result, "42");
}

/// Else some kilobytes a message would cost a server gigabytes.
TEST_F(rabbit_engine, what_comes_compressed_waits_so_until_there_is_room_for_it) {
  end();
  options small;
  small.most_unpacked = 1'000;
  start(std::move(small));
  const auto from = std::make_shared<rabbit_listener>(driver, std::uint16_t{10});
  const auto handle = from->handle();
  from->begin({notification_source(driver->opts(), "openstack", "t")});
  const auto consume = broker.next(method::basic_consume);
  std::vector<std::unique_ptr<incoming_message>> taken;
  std::size_t batches = 0;
  const auto pull = [&] {
    from->next(10, [&](incoming_batch b) {
      ++batches;
      for (auto& m : b) taken.push_back(std::move(m));
    });
  };
  const auto deliver = [&](std::uint64_t tag, std::size_t blanks) {
    amqp091::properties p;
    p.content_type = "application/json";
    p.headers = amqp091::field_table{{"compression", "gzip"}};
    const auto body = R"({"oslo.version": "2.0", "oslo.message": "{\"method\": \"m\", )"
                      R"(\"args\": {}, \"_unique_id\": \")" +
                      std::to_string(tag) + R"(\"}"})" + std::string(blanks, ' ');
    broker.send(
        amqp_script::deliver_method(consume.channel, tag, "1") +
            amqp_script::content(consume.channel, wire::compress(wire::codec::zlib, body), p),
        consume.connection);
  };
  deliver(1, 5'000);
  deliver(2, 5'000);
  deliver(3, 0);
  pull();
  ASSERT_EQ(taken.size(), 1u) << "a single one has room whatever its size";
  pull();
  taken[0]->acknowledge();
  broker.rest();
  EXPECT_EQ(batches, 1u) << "it is still there";
  taken.clear();
  broker.run_until([&] { return batches == 2; }, "the next one");
  ASSERT_EQ(taken.size(), 1u);
  pull();
  from->stop();
  EXPECT_EQ(batches, 3u) << "the end";
  std::vector<std::uint64_t> back;
  for (const auto& r : broker.rest())
    if (r.what == method::basic_reject) back.push_back(amqp091::reader{r.arguments}.u64());
  EXPECT_THAT(back, ::testing::ElementsAre(3u));
  taken[0]->acknowledge();
  taken.clear();
}

TEST_F(rabbit_engine, casts_and_calls_time_out_with_the_stage_they_got_to) {
  cast({.timeout = 50ms});
  broker.next(method::basic_publish);
  EXPECT_EQ(wait_for_failure().code(), errc::outcome_unknown);
  EXPECT_EQ(outcome->error().detail().stage, "sent");
  EXPECT_EQ(outcome->error().detail().destination, "openstack/t");
  outcome.reset();

  call({.timeout = 200ms});
  const auto published = broker.next(method::basic_publish);
  broker.send(confirm(1, method::basic_ack, 2, false), published.connection);
  EXPECT_EQ(wait_for_failure().code(), errc::timed_out);
  EXPECT_EQ(outcome->error().detail().stage, "confirmed");
  EXPECT_FALSE(outcome->error().detail().message_id.empty());
}

TEST_F(rabbit_engine,
       a_call_without_a_heartbeat_ends_after_less_than_a_second_when_that_is_its_limit) {
  call({.timeout = 60s, .call_monitor_timeout = 50ms});
  EXPECT_NE(broker.next(method::basic_publish).body.find(R"(\"_timeout\": 0.05,)"),
            std::string::npos);
  broker.send(confirm(1, method::basic_ack, 1, false));
  const auto why = wait_for_failure();
  EXPECT_EQ(why.code(), errc::timed_out);
  EXPECT_EQ(why.detail().stage, "monitor");
}

TEST_F(rabbit_engine, what_is_cancelled_says_whether_it_was_sent) {
  for (const bool is_call : {false, true}) {
    SCOPED_TRACE(is_call ? "call" : "cast");
    outcome.reset();
    std::stop_source stop;
    send_options o;
    o.cancel = stop.get_token();
    is_call ? call(std::move(o)) : cast(std::move(o));
    broker.next(method::basic_publish);
    stop.request_stop();
    EXPECT_EQ(wait_for_failure().code(), errc::cancelled);
    EXPECT_EQ(outcome->error().detail().stage, "sent");
  }
}

TEST_F(rabbit_engine, what_was_cancelled_before_it_began_ends_all_the_same) {
  std::stop_source stop;
  stop.request_stop();
  send_options o;
  o.cancel = stop.get_token();
  call(std::move(o));
  EXPECT_FALSE(outcome) << "not before the call has returned";
  EXPECT_EQ(wait_for_failure().code(), errc::cancelled);
}

TEST_F(rabbit_engine, a_call_without_a_channel_for_its_replies_says_so_and_works_later) {
  broker.on(method::connection_start_ok,
            [](const scripted_broker::request&) { return amqp_script::tune(1); });
  auto from = std::make_shared<rabbit_listener>(driver, std::uint16_t{1});
  from->begin({reply_source({}, "occupied")});
  broker.run_until([&] { return from->consuming(); }, "the listener");
  call({.timeout = 10s});
  EXPECT_EQ(wait_for_failure().code(), errc::limit_exceeded);
  EXPECT_NE(outcome->error().message().find("All 1 channels"), std::string::npos)
      << outcome->error().message();
  outcome.reset();
  call({.timeout = 10s});
  EXPECT_EQ(wait_for_failure().code(), errc::limit_exceeded) << "and again, without a crash";
  outcome.reset();
  driver->consumer().remove(from);
  broker.next(method::channel_close);
  broker.next(method::basic_consume);  // the reply queue has its channel
  broker.rest();
  call({.timeout = 10s});
  broker.next(method::basic_publish);
  EXPECT_FALSE(outcome);
}

/// RabbitMQ 4.3 ends the connection over the queue, and not only the channel.
TEST_F(rabbit_engine, calls_fail_at_once_where_the_queue_of_their_replies_is_forbidden) {
  broker.on(method::queue_declare, [](const broker_script::request&) {
    return amqp_script::close_frame(
        0, 541, "INTERNAL_ERROR - Feature `transient_nonexcl_queues` is deprecated.\nBy default",
        method::queue_declare);
  });
  for (int i = 0; i < 2; ++i) {
    call({.timeout = 1h});
    const auto why = wait_for_failure();
    EXPECT_EQ(why.code(), errc::precondition_failed) << why.message();
    EXPECT_NE(why.message().find("rabbit_transient_quorum_queue"), std::string::npos);
    outcome.reset();
  }
}

TEST_F(rabbit_engine, a_blocked_broker_is_not_waited_for_at_the_end) {
  cast();
  broker.next(method::basic_publish);
  broker.send(amqp_script::method_frame(0, method::connection_blocked,
                                        [](amqp091::writer& w) { w.shortstr("low"); }));
  EXPECT_EQ(driver->health().publishing, link_state::blocked);
  broker.on(method::connection_close, [](const scripted_broker::request&) { return ""; });
  bool closed = false;
  driver->close(10min, [&] { closed = true; });
  broker.run_until([&] { return closed; }, "the end");  // for ten seconds at most
  EXPECT_EQ(wait_for_failure().code(), errc::outcome_unknown);
}

TEST_F(rabbit_engine, its_health_names_the_peer_of_each_connection_while_that_is_up) {
  std::vector<transport_health> seen;
  driver->watch_health([&](const transport_health& h) { seen.push_back(h); });
  const auto peer = broker.settings().brokers[0].where.text();
  cast();
  broker.run_until([&] { return driver->health().publishing == link_state::connected; },
                   "the first connection");
  EXPECT_EQ(driver->health().publishing_peer, peer);
  EXPECT_EQ(driver->health().consuming_peer, "");
  broker.next(method::basic_publish);
  broker.send(confirm(1, method::basic_ack, 1, false));
  outcome.reset();
  call();
  broker.run_until([&] { return driver->health().consuming == link_state::connected; },
                   "the second connection");
  EXPECT_EQ(driver->health().consuming_peer, peer);
  seen.clear();
  broker.drop();
  broker.run_until(
      [&] {
        return broker.connections() == 4 && driver->health().publishing == link_state::connected &&
               driver->health().consuming == link_state::connected;
      },
      "two new connections");
  driver->watch_health({});
  ASSERT_GE(seen.size(), 2u);
  EXPECT_TRUE(
      std::any_of(seen.begin(), seen.end(), [](auto& h) { return h.publishing_peer.empty(); }));
  EXPECT_TRUE(
      std::any_of(seen.begin(), seen.end(), [](auto& h) { return h.consuming_peer.empty(); }));
  for (const auto& h : seen) {
    EXPECT_EQ(h.publishing == link_state::connected, !h.publishing_peer.empty());
    EXPECT_EQ(h.consuming == link_state::connected, !h.consuming_peer.empty());
  }
}

TEST_F(rabbit_engine, every_close_waits_for_the_end_and_none_can_be_too_long) {
  cast();
  broker.next(method::basic_publish);
  int closed = 0;
  driver->close(std::chrono::milliseconds::max(), [&] { ++closed; });
  driver->close(0ms, [&] { ++closed; });
  broker.rest();
  EXPECT_EQ(closed, 0) << "the confirm is still to come";
  EXPECT_FALSE(outcome);
  broker.send(confirm(1, method::basic_ack, 1, false));
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->has_value());
  broker.run_until([&] { return closed == 2; }, "the end");
  driver->close(1s, [&] { ++closed; });
  broker.run_until([&] { return closed == 3; }, "the third one");
}

TEST_F(rabbit_engine, a_listener_that_came_too_late_keeps_nothing_alive) {
  driver->close(1s, [] {});
  const auto late = std::make_shared<rabbit_listener>(driver, std::uint16_t{1});
  late->begin({reply_source({}, "late")});
  std::optional<errc> refused;
  late->ready([&](result<void> r) { refused = r.error().code(); });
  bool gone = false;
  late->when_gone([&] { gone = true; });
  late->stop();
  broker.run_until([&] { return refused && gone; }, "the end of the listener");
  EXPECT_EQ(refused, errc::closed);
}

TEST_F(rabbit_engine, a_blocked_call_times_out_as_blocked) {
  cast();
  broker.next(method::basic_publish);
  broker.send(amqp_script::method_frame(0, method::connection_blocked,
                                        [](amqp091::writer& w) { w.shortstr("low"); }) +
              confirm(1, method::basic_ack, 1, false));
  outcome.reset();
  cast({.timeout = 50ms});
  EXPECT_EQ(wait_for_failure().detail().stage, "blocked");
}

TEST_F(rabbit_engine, a_poisoned_reply_hurts_only_its_call) {
  const auto consume = [&] { return broker.next(method::basic_consume); };
  call({.timeout = 10s});
  const auto replies = consume();
  const auto published = broker.next(method::basic_publish);
  const auto id_at = published.body.find("_msg_id");
  ASSERT_NE(id_at, std::string::npos);
  const auto id =
      published.body.substr(published.body.find_first_of("0123456789abcdef", id_at + 9), 32);
  const auto undefined_flags = amqp_script::header_with(1, 2, amqp_script::bytes("0003"));
  const auto tag = scripted_broker::tag_in(replies);
  amqp091::properties p;
  p.content_type = "application/json";
  broker.send(amqp_script::deliver_method(1, 1, tag) + undefined_flags +
                  amqp_script::frame(amqp091::frame_type::body, 1, "{}") +
                  amqp_script::deliver_method(1, 2, tag) + amqp_script::content(1, "no JSON", p) +
                  amqp_script::deliver_method(1, 3, tag) +
                  amqp_script::content(
                      1, R"({"_msg_id": ")" + id + R"(", "result": 3, "ending": true})", p),
              replies.connection);
  ASSERT_TRUE(outcome);
  ASSERT_TRUE(outcome->has_value()) << outcome->error().message();
  EXPECT_EQ((*outcome)->result, "3");
  EXPECT_EQ(broker.connections(), 2);
}

// ---- use_queue_manager --------------------------------------------------------------------------

/// Another process holds the lock of the count.
class rabbit_engine_names : public rabbit_engine {
 protected:
  rabbit_engine_names() {
    std::string pattern = ::testing::TempDir() + "/engine-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder");
    folder = pattern;
    const stable_names names{"h", "p", folder + "/counter", folder + "/lock"};
    next_name(names);
    other.emplace(names.lock);
    end();
    options o;
    o.names = names;
    start(std::move(o));
  }
  ~rabbit_engine_names() override { std::filesystem::remove_all(folder); }
  void cast_is_confirmed() {
    cast();
    broker.next(method::basic_publish);
    broker.send(confirm(1, method::basic_ack, 1, false));
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->has_value());
    outcome.reset();
  }

  std::string folder;
  std::optional<testing::lock_holder> other;
};

TEST_F(rabbit_engine_names, a_call_waits_for_the_name_of_its_reply_queue_and_the_loop_does_not) {
  call({.timeout = 10s});
  const auto waiting = std::exchange(outcome, std::nullopt);
  EXPECT_FALSE(waiting);
  other->release();
  broker.run_until([&] { return broker.has_requests(); }, "the connection");
  const auto request = broker.next(method::basic_publish);
  EXPECT_NE(request.body.find("reply_h:p:2"), std::string::npos) << request.body;
}

TEST_F(rabbit_engine_names, others_go_on_while_a_listener_waits_for_the_name_of_its_queue) {
  std::string name;
  driver->name_queue([&](std::string unique) { name = std::move(unique); });
  EXPECT_EQ(name, "");
  cast_is_confirmed();
  other->release();
  broker.run_until([&] { return !name.empty(); }, "the name");
  EXPECT_EQ(name, "h:p:2");
}

TEST_F(rabbit_engine_names, a_call_ends_while_it_waits_for_a_name) {
  std::stop_source caller;
  call({.timeout = 10s, .cancel = caller.get_token()});
  caller.request_stop();
  EXPECT_EQ(wait_for_failure().code(), errc::cancelled);
  outcome.reset();
  call({.timeout = 1ms});
  EXPECT_EQ(wait_for_failure().code(), errc::timed_out);
}

TEST_F(rabbit_engine_names, a_listener_that_is_stopped_while_it_waits_for_a_name_never_begins) {
  const auto from = std::make_shared<rabbit_listener>(driver, std::uint16_t{1});
  from->stop();
  bool gone = false;
  from->when_gone([&] { gone = true; });
  EXPECT_TRUE(gone);
  from->begin({reply_source({}, "late")});
  EXPECT_FALSE(from->consuming());
  EXPECT_TRUE(broker.rest().empty());
}

TEST_F(rabbit_engine_names, who_waits_for_a_name_when_the_transport_closes_gets_one) {
  std::string name;
  driver->name_queue([&](std::string unique) { name = std::move(unique); });
  call({.timeout = 10s});
  driver->close(1s, [] {});
  EXPECT_EQ(name.size(), 32u);
  EXPECT_EQ(wait_for_failure().code(), errc::closed);
}

}  // namespace
}  // namespace oslo::messaging::rabbit
