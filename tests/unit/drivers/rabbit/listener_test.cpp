// A listener of the rabbit driver against a broker that does exactly what the test says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <functional>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/transport.hpp>

#include "support/log_lines.hpp"
#include "support/recording_metrics.hpp"
#include "support/scripted_broker.hpp"
#include "wire/compression.hpp"

namespace oslo::messaging::rabbit {
namespace {

using amqp091::method;
using amqp_script::scripted_broker;
using ::testing::Contains;
using ::testing::ElementsAre;

class rabbit_listeners : public ::testing::Test {
 protected:
  explicit rabbit_listeners(const std::string& query = {})
      : broker(io), meter(std::make_shared<testing::recording_metrics>()) {
    transport_options o;
    o.loop = asio_scheduler(io.get_executor());
    o.meter = meter;
    o.log = log.into();
    bus = std::make_unique<transport>(open_transport(broker.url() + query, o));
    target on;
    on.topic = "t";
    on.server = "s";
    bool ready = false;
    on_loop([&] {
      from = bus->driver().listen(on, {});
      from->ready([&](result<void> r) { ready = r.has_value(); });
    });
    broker.run_until([&] { return ready; }, "the listener");
    channel = broker.next(method::basic_consume).channel;
  }
  ~rabbit_listeners() override {
    from.reset();
    bool closed = false;
    bus->driver().close(std::chrono::seconds(5), [&] { closed = true; });
    broker.run_until([&] { return closed; }, "the end of the transport");
  }

  void on_loop(const std::function<void()>& f) {
    bool ran = false;
    boost::asio::post(io, [&] {
      f();
      ran = true;
    });
    broker.run_until([&] { return ran; }, "the loop");
  }
  void pull() {
    on_loop([this] { from->next(10, [this](incoming_batch b) { batch = std::move(b); }); });
  }

  static std::string request(const std::string& unique_id) {
    return R"({"oslo.version": "2.0", "oslo.message": "{\"method\": \"m\", \"args\": {}, )"
           R"(\"_unique_id\": \")" +
           unique_id + R"(\"}"})";
  }
  void deliver(std::uint64_t tag, const std::string& body,
               std::optional<amqp091::field_table> headers = {}) {
    amqp091::properties p;
    p.content_type = "application/json";
    p.headers = std::move(headers);
    broker.send(amqp_script::deliver_method(channel, tag, "1") +
                amqp_script::content(channel, body, p));
  }
  /// A message that comes, and is to be acknowledged later.
  incoming_batch::value_type take_into_work(std::uint64_t tag, const std::string& body) {
    pull();
    deliver(tag, body);
    auto first = std::move(batch.at(0));
    batch.clear();
    first->acknowledge_later();
    return first;
  }
  /// The tags that were acknowledged since the last call; "2*" means all up to it.
  std::vector<std::string> acknowledged() {
    std::vector<std::string> tags;
    for (const auto& r : broker.rest()) {
      if (r.what != method::basic_ack) continue;
      amqp091::reader in{r.arguments};
      const auto tag = in.u64();
      tags.push_back(std::to_string(tag) + (in.u8() != 0 ? "*" : ""));
    }
    return tags;
  }
  std::vector<std::string> rejected() {
    std::vector<std::string> tags;
    for (const auto& r : broker.rest()) {
      if (r.what != method::basic_reject) continue;
      amqp091::reader in{r.arguments};
      const auto tag = in.u64();
      tags.push_back(std::to_string(tag) + (in.u8() != 0 ? " again" : ""));
    }
    return tags;
  }
  bool counted(const std::string& name) {
    const auto lines = meter->lines();
    return std::find(lines.begin(), lines.end(), name + " +1") != lines.end();
  }

  testing::log_lines log;
  boost::asio::io_context io;
  scripted_broker broker;
  std::shared_ptr<testing::recording_metrics> meter;
  std::unique_ptr<transport> bus;
  std::shared_ptr<listener> from;
  amqp091::channel_id channel = 0;
  incoming_batch batch;
};

TEST_F(rabbit_listeners, a_message_that_was_taken_is_not_handed_out_again) {
  pull();
  deliver(1, request("u1"));
  ASSERT_EQ(batch.size(), 1u);
  batch[0]->acknowledge();
  EXPECT_THAT(acknowledged(), ElementsAre("1"));
  batch.clear();
  pull();
  deliver(2, request("u1"));
  EXPECT_TRUE(batch.empty());
  EXPECT_THAT(acknowledged(), ElementsAre("2"));
  EXPECT_TRUE(counted("server_duplicates_total"));
  deliver(3, request("u2"));
  ASSERT_EQ(batch.size(), 1u);
  batch[0]->acknowledge();
}

/// A restart of the broker brings thousands.
TEST_F(rabbit_listeners, many_copies_are_one_line_of_the_log) {
  pull();
  deliver(1, request("u1"));
  batch.at(0)->acknowledge();
  pull();
  for (std::uint64_t tag = 2; tag < 12; ++tag) deliver(tag, request("u1"));
  EXPECT_EQ(log.with("uplicate message").size(), 1u);
}

TEST_F(rabbit_listeners, texts_among_the_headers_and_the_count_of_a_quorum_queue_are_seen) {
  pull();
  deliver(1, request("u1"),
          amqp091::field_table{{"a", "text"}, {"x-delivery-count", std::int64_t{3}}, {"b", true}});
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_THAT(batch[0]->headers(), ElementsAre(message_header{"a", "text"}));
  EXPECT_EQ(batch[0]->requeues(), 3u);
  int id = 2;
  const auto count_of = [&](amqp091::field_table headers) {
    pull();
    deliver(static_cast<std::uint64_t>(id), request("u" + std::to_string(id)), std::move(headers));
    ++id;
    return batch.at(0)->requeues();
  };
  EXPECT_EQ(count_of({}), std::nullopt);  // a classic queue
  EXPECT_EQ(count_of({{"x-delivery-count", std::uint8_t{1}}}), 1u);
  EXPECT_EQ(count_of({{"x-delivery-count", std::int64_t{-1}}}), std::nullopt);
  EXPECT_EQ(count_of({{"x-delivery-count", true}}), std::nullopt);
  EXPECT_EQ(count_of({{"x-delivery-count", "5"}}), std::nullopt);
}

TEST_F(rabbit_listeners, time_in_the_queue_counts_by_the_clock_of_a_known_sender) {
  using namespace std::chrono_literals;
  int id = 1;
  const auto left_of = [&](std::int64_t sent, std::int64_t sender) {
    from->next(10, [this](incoming_batch b) { batch = std::move(b); });
    deliver(static_cast<std::uint64_t>(id), request("u" + std::to_string(id)),
            amqp091::field_table{{"oslo-timeout-ms", std::int64_t{3'600'000}},
                                 {"oslo-sent-ms", std::int64_t{1'700'000'000'000}},
                                 {"oslo-steady-ms", sent},
                                 {"oslo-sender", sender}});
    ++id;
    return batch.at(0)->deadline().value() - std::chrono::steady_clock::now();
  };
  constexpr auto slack = 60s;  // of a machine that does something else between two lines
  EXPECT_GT(left_of(5'000'000, 1), 1h - slack) << "nothing is known of its clock";
  const auto second = left_of(5'000'000 - 1'200'000, 1);
  EXPECT_LE(second, 40min + 1s);
  EXPECT_GT(second, 40min - slack);
  EXPECT_GT(left_of(5'000'000 - 1'200'000, 2), 1h - slack) << "another sender";
}

TEST_F(rabbit_listeners, a_copy_of_what_is_in_work_is_settled_with_it) {
  const auto first = take_into_work(1, request("u1"));
  pull();
  deliver(2, request("u1"));
  EXPECT_TRUE(batch.empty());
  EXPECT_THAT(acknowledged(), ElementsAre());
  first->acknowledge();
  EXPECT_THAT(acknowledged(), ElementsAre("2*"));
  EXPECT_TRUE(counted("server_duplicates_total"));
}

TEST_F(rabbit_listeners, work_goes_on_over_a_lost_connection_and_its_second_delivery) {
  const auto first = take_into_work(7, request("u1"));
  broker.drop();
  channel = broker.next(method::basic_consume).channel;
  broker.run_until([&] { return from->consuming(); }, "the consumers");
  pull();
  deliver(1, request("u1"));
  EXPECT_TRUE(batch.empty()) << "it is being worked on";
  first->acknowledge();
  EXPECT_THAT(acknowledged(), ElementsAre("1")) << "of the new connection, and only there";
}

TEST_F(rabbit_listeners, ask_for_as_many_messages_as_the_protocol_can_say_or_for_all) {
  const auto asked_for = [&](std::size_t prefetch) {
    std::shared_ptr<listener> l;
    on_loop([&] { l = bus->driver().listen({.topic = "t", .server = "s2"}, {prefetch}); });
    const auto r = broker.next(method::basic_qos);
    amqp091::reader in{r.arguments};
    in.u32();
    return in.u16();
  };
  EXPECT_EQ(asked_for(0), 256);
  EXPECT_EQ(asked_for(7), 7);
  EXPECT_EQ(asked_for(65'535), 65'535);
  EXPECT_EQ(asked_for(65'536), 65'535);
  EXPECT_EQ(asked_for(listen_options::unlimited), 0);
}

class rabbit_listeners_of_an_operator : public rabbit_listeners {
 protected:
  rabbit_listeners_of_an_operator() : rabbit_listeners("?rabbit_qos_prefetch_count=9") {}
};

TEST_F(rabbit_listeners_of_an_operator, ask_for_no_more_than_was_configured) {
  std::shared_ptr<listener> l;
  on_loop([&] {
    l = bus->driver().listen({.topic = "t", .server = "s2"}, {listen_options::unlimited});
  });
  EXPECT_EQ(broker.next(method::basic_qos).arguments, amqp_script::bytes("00000000 0009 00"));
}

class rabbit_stream_listeners : public rabbit_listeners {
 protected:
  rabbit_stream_listeners()
      : rabbit_listeners(
            "?rabbit_stream_fanout=1&rabbit_transient_quorum_queue=1&rabbit_qos_prefetch_count=9") {
    find_stream();
  }
  void deliver_at(std::int64_t offset, std::uint64_t tag, const std::string& unique_id) {
    amqp091::properties p;
    p.content_type = "application/json";
    p.headers = amqp091::field_table{{"x-stream-offset", offset}};
    broker.send(amqp_script::deliver_method(channel, tag, stream_tag) +
                amqp_script::content(channel, request(unique_id), p));
  }
  /// Also what its consumer begins with.
  std::string find_stream() {
    for (;;) {
      const auto r = broker.next(method::basic_consume);
      if (amqp_script::broker_script::name_in(r) != "t_fanout") continue;
      channel = r.channel;
      stream_tag = amqp_script::broker_script::tag_in(r);
      return r.arguments.substr(r.arguments.find("x-stream-offset") + 15);
    }
  }
  std::string stream_tag;
};

TEST_F(rabbit_stream_listeners, over_connections_every_message_is_handed_out_once) {
  pull();
  deliver_at(40, 1, "u40");
  ASSERT_EQ(batch.size(), 1u);
  const auto first = std::move(batch.at(0));
  batch.clear();
  deliver_at(41, 2, "u41");  // nobody has asked for it yet
  deliver_at(42, 3, "u42");
  broker.drop();
  EXPECT_EQ(find_stream(), amqp_script::bytes("'l' 0000000000000029"));
  broker.run_until([&] { return from->consuming(); }, "the consumers");
  first->acknowledge();
  EXPECT_THAT(acknowledged(), ElementsAre()) << "it came over the old connection";
  deliver_at(41, 1, "u41");
  deliver_at(42, 2, "u42");
  pull();
  ASSERT_EQ(batch.size(), 2u);
  for (auto& m : batch) m->acknowledge();
  EXPECT_THAT(acknowledged(), ElementsAre("2*"));
  broker.drop();
  EXPECT_EQ(find_stream(), amqp_script::bytes("'l' 000000000000002b"));
}

TEST_F(rabbit_listeners, what_is_given_back_takes_its_copy_along) {
  const auto first = take_into_work(1, request("u1"));
  pull();
  deliver(2, request("u1"));
  EXPECT_TRUE(batch.empty());
  first->requeue();
  int rejected = 0;
  for (const auto& r : broker.rest())
    if (r.what == method::basic_reject) ++rejected;
  EXPECT_EQ(rejected, 2);
  // It comes again, and is not taken for a copy of itself.
  deliver(3, request("u1"));
  ASSERT_EQ(batch.size(), 1u);
  batch[0]->acknowledge();
}

TEST_F(rabbit_listeners, of_two_copies_that_arrive_together_one_is_handed_out) {
  deliver(1, request("u1"));
  deliver(2, request("u1"));
  deliver(3, request("u2"));
  pull();
  broker.rest();
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_TRUE(counted("server_duplicates_total"));
  for (auto& m : batch) m->acknowledge();
}

TEST_F(rabbit_listeners, messages_of_two_peers_that_number_them_alike_are_no_copies) {
  const auto numbered = [](const char* method) {
    return std::string(R"({"method": ")") + method + R"(", "_unique_id": "0"})";
  };
  for (const auto& [tag, method] : {std::pair(1, "a"), {2, "b"}, {3, "a"}})
    deliver(static_cast<std::uint64_t>(tag), numbered(method));
  pull();
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_THAT(acknowledged(), ElementsAre("3"));
  const auto in_work = std::exchange(batch, {});
  for (const auto& m : in_work) m->acknowledge_later();
  pull();
  deliver(4, numbered("b"));
  EXPECT_TRUE(batch.empty());
  EXPECT_THAT(acknowledged(), ElementsAre());
  deliver(5, numbered("c"));
  ASSERT_EQ(batch.size(), 1u);
  batch[0]->acknowledge();
  EXPECT_THAT(acknowledged(), ElementsAre("5"));
  in_work[1]->acknowledge();
  EXPECT_THAT(acknowledged(), ElementsAre("2", "4"));
  in_work[0]->requeue();
  EXPECT_THAT(rejected(), ElementsAre("1 again"));
  batch.clear();
  pull();
  deliver(6, numbered("a"));
  ASSERT_EQ(batch.size(), 1u) << "given back, and that one alone";
  batch[0]->acknowledge();
}

TEST_F(rabbit_listeners, a_body_in_another_encoding_is_read_in_it) {
  amqp091::properties p;
  p.content_type = "application/json";
  p.content_encoding = "latin-1";
  broker.send(amqp_script::deliver_method(channel, 1, "1") +
              amqp_script::content(channel, "{\"method\": \"h\xe9\"}", p));
  pull();
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0]->fields()[0].json, "\"h\xc3\xa9\"");
  batch[0]->acknowledge();
}

TEST_F(rabbit_listeners, a_message_keeps_its_inner_text_as_it_came) {
  const std::string inner =
      R"({ "method":"m", "_context_user": 1.10, "_msg_id": "7", "_unique_id": "u", "a":"\u00e9" })";
  std::string enveloped = R"({"oslo.version": "2.0", "oslo.message": )";
  write_json(enveloped, inner);
  std::uint64_t tag = 0;
  for (const auto& body : {inner, enveloped + "}"}) {
    pull();
    deliver(++tag, body);
    ASSERT_EQ(batch.size(), 1u);
    EXPECT_EQ(batch[0]->body(), inner);
    const auto key = batch[0]->fields()[0].key;
    EXPECT_TRUE(key.data() > batch[0]->body().data() && key.data() < &batch[0]->body().back())
        << "the text is there once";
    batch[0]->acknowledge();
  }
  pull();
  deliver(++tag, wire::compress(wire::codec::zlib, R"({"method": "packed"})"),
          amqp091::field_table{{"compression", "application/x-gzip"}});
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0]->body(), R"({"method": "packed"})");
  batch[0]->acknowledge();
}

TEST_F(rabbit_listeners, a_malformed_message_is_refused_alone) {
  pull();
  deliver(1, "this is not JSON");
  bool refused = false;
  for (const auto& r : broker.rest()) refused = refused || r.what == method::basic_reject;
  EXPECT_TRUE(refused);
  EXPECT_TRUE(counted("server_malformed_messages_total"));
  deliver(2, request("u1"));
  ASSERT_EQ(batch.size(), 1u);
  batch[0]->acknowledge();
}

TEST_F(rabbit_listeners, compressed_messages_are_read_and_their_header_is_not_seen) {
  struct {
    const char* header;
    wire::codec codec;
  } const table[] = {{"application/x-gzip", wire::codec::zlib},
                     {"zlib", wire::codec::zlib},
                     {"application/x-bz2", wire::codec::bzip2},
                     {"bzip2", wire::codec::bzip2}};
  std::uint64_t tag = 0;
  for (const auto& t : table) {
    pull();
    ++tag;
    deliver(tag, wire::compress(t.codec, request("u" + std::to_string(tag))),
            amqp091::field_table{{"compression", t.header}, {"a", "text"}});
    ASSERT_EQ(batch.size(), 1u) << t.header;
    EXPECT_THAT(batch[0]->headers(), ElementsAre(message_header{"a", "text"}));
    batch[0]->acknowledge();
    batch.clear();
  }
  pull();
  deliver(++tag, request("plain"), amqp091::field_table{{"compression", ""}});
  ASSERT_EQ(batch.size(), 1u);
  batch[0]->acknowledge();
}

TEST_F(rabbit_listeners, a_body_that_cannot_be_decompressed_is_refused_alone) {
  pull();
  const auto body = wire::compress(wire::codec::zlib, request("u1"));
  deliver(1, body, amqp091::field_table{{"compression", "application/zstd"}});
  deliver(2, body, amqp091::field_table{{"compression", std::int32_t{1}}});
  deliver(3, body, amqp091::field_table{{"compression", "application/x-bz2"}});
  deliver(4, body.substr(0, body.size() / 2), amqp091::field_table{{"compression", "gzip"}});
  deliver(5, body);
  EXPECT_THAT(rejected(), ElementsAre("1", "2", "3", "4", "5"));
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(log.with("it is compressed by application/zstd, which is not known here").size(), 1u);
  EXPECT_EQ(log.with("its compressed body is broken").size(), 2u);
  deliver(6, request("u2"));
  ASSERT_EQ(batch.size(), 1u);
  batch[0]->acknowledge();
}

TEST_F(rabbit_listeners, a_bomb_is_a_malformed_message_and_nothing_else) {
  pull();
  const std::string blanks((128u << 20) + 1, ' ');
  for (const auto codec : {wire::codec::zlib, wire::codec::bzip2}) {
    const std::uint64_t tag = codec == wire::codec::zlib ? 1 : 2;
    deliver(tag, wire::compress(codec, blanks),
            amqp091::field_table{{"compression", std::string(wire::header_value(codec))}});
    EXPECT_THAT(rejected(), ElementsAre(std::to_string(tag)));
  }
  EXPECT_EQ(log.with("its body decompresses to more than 134217728 bytes").size(), 1u);
  EXPECT_EQ(log.with("its body decompresses to more than 1048576 bytes").size(), 1u);
  deliver(3, request("u1"));
  ASSERT_EQ(batch.size(), 1u);
  batch[0]->acknowledge();
}

TEST_F(rabbit_listeners, who_lets_go_of_it_stops_it_and_keeps_what_was_handed_out) {
  pull();
  deliver(1, request("u1"));
  ASSERT_EQ(batch.size(), 1u);
  broker.rest();
  from.reset();
  std::vector<method> said;
  for (const auto& r : broker.rest()) said.push_back(r.what);
  EXPECT_THAT(said, ElementsAre(method::basic_cancel, method::basic_cancel, method::basic_cancel))
      << "its queues, while the message can still be settled";
  batch[0]->acknowledge();
  said.clear();
  for (const auto& r : broker.rest()) said.push_back(r.what);
  EXPECT_THAT(said, Contains(method::basic_ack));
  ASSERT_FALSE(said.empty());
  EXPECT_EQ(said.back(), method::channel_close);
}

TEST_F(rabbit_listeners, ready_says_at_once_what_is_known_but_not_before_it_returns) {
  const auto ask = [this] {
    std::optional<errc> verdict;
    bool returned = false, early = false, told = false;
    on_loop([&] {
      from->ready([&](result<void> r) {
        told = true;
        early = !returned;
        if (r.has_error()) verdict = r.error().code();
      });
      returned = true;
    });
    broker.run_until([&] { return told; }, "an answer");
    EXPECT_FALSE(early);
    return verdict;
  };
  EXPECT_EQ(ask(), std::nullopt);
  on_loop([this] { from->stop(); });
  EXPECT_EQ(ask(), errc::closed);
}

}  // namespace
}  // namespace oslo::messaging::rabbit
