#include "notify/outbox/outbox_queue.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;
using strings = std::vector<std::string>;
using decision = outbox_queue::decision;

/// A queue that is driven by hand.
class outbox_queues : public ::testing::Test {
 protected:
  static outbox_queue::entry_ptr entry(const std::string& event, std::size_t bytes = 10,
                                       std::size_t sinks = 1) {
    auto e = std::make_shared<outbox_entry>();
    e->message.event_type = event;
    e->message.body = "body";
    e->bytes = bytes;
    for (std::size_t i = 0; i < sinks; ++i) e->left.push_back(i);
    return e;
  }
  decision offer(outbox_queue& q, const outbox_queue::entry_ptr& e,
                 const outbox_queue::circumstances& c = {}) {
    last = q.admit(e, now, c, ended);
    return last.what;
  }
  decision offer(outbox_queue& q, const std::string& event, std::size_t bytes = 10) {
    return offer(q, entry(event, bytes));
  }
  /// Everything that may be sent now.
  std::vector<outbox_queue::entry_ptr> send(outbox_queue& q) {
    std::vector<outbox_queue::entry_ptr> out;
    while (auto e = q.next(now, ended)) out.push_back(e);
    return out;
  }
  static strings events(const std::vector<outbox_queue::entry_ptr>& all) {
    strings out;
    for (const auto& e : all) out.push_back(e->message.event_type);
    return out;
  }
  /// All sinks that were asked have answered the same.
  outbox_queue::progress answer(outbox_queue& q, const outbox_queue::entry_ptr& e,
                                const result<void>& r = {}, bool as_a_whole = false) {
    for (const auto sink : std::vector<std::size_t>(e->left))
      (void)q.answer(e, sink, r, as_a_whole, now, ended);
    return q.answer(e, std::nullopt, {}, false, now, ended);
  }
  /// What has ended since the last look, as "what event code".
  strings endings() {
    strings out;
    for (const auto& e : std::exchange(ended, {})) {
      const char* const what = e.what == delivery_outcome::delivered ? "delivered "
                               : e.what == delivery_outcome::dropped ? "dropped "
                                                                     : "failed ";
      out.push_back(what + e.of->message.event_type);
      if (e.why.code() != errc{}) out.back() += ": " + e.why.message();
    }
    return out;
  }
  static failure away() { return {errc::unreachable, "gone"}; }

  outbox_queue::time_point now{};
  outbox_queue::endings ended;
  outbox_queue::admission last{};
};

TEST_F(outbox_queues, give_messages_in_order_as_many_as_the_window_holds) {
  outbox_queue q({.window = 2});
  for (const char* e : {"0", "1", "2"}) EXPECT_EQ(offer(q, e), decision::taken);
  EXPECT_TRUE(q.can_send(now));
  const auto first = send(q);
  EXPECT_EQ(events(first), (strings{"0", "1"}));
  EXPECT_FALSE(q.can_send(now));
  EXPECT_TRUE(answer(q, first[1]).ended);
  EXPECT_EQ(events(send(q)), strings{"2"});
  EXPECT_EQ(endings(), strings{"delivered 1"});
  EXPECT_EQ(q.counts().held, 2u);
  EXPECT_EQ(q.counts().bytes, 20u);
  EXPECT_EQ(q.counts().accepted, 3u);
  EXPECT_EQ(q.counts().delivered, 1u);
  EXPECT_EQ(q.last_number(), 3u);
}

TEST_F(outbox_queues, end_a_message_when_every_sink_has_taken_it_and_nobody_reads_it) {
  outbox_queue q({});
  const auto e = entry("e", 10, 2);
  EXPECT_EQ(offer(q, e), decision::taken);
  send(q);
  EXPECT_FALSE(q.answer(e, 1, {}, false, now, ended).ended);
  EXPECT_FALSE(q.answer(e, 0, {}, false, now, ended).ended);
  EXPECT_TRUE(q.answer(e, std::nullopt, {}, false, now, ended).ended);
  EXPECT_EQ(endings(), strings{"delivered e"});
}

TEST_F(outbox_queues, bound_messages_and_bytes) {
  outbox_queue q({.max_messages = 2, .max_bytes = 25});
  EXPECT_EQ(offer(q, "large", 26), decision::refused);
  EXPECT_EQ(last.why.message(),
            "A notification of 26 bytes does not fit into an outbox of 25 bytes.");
  EXPECT_FALSE(last.overflow) << "it never fits";
  EXPECT_EQ(offer(q, "0", 15), decision::taken);
  EXPECT_EQ(offer(q, "bytes", 11), decision::refused);
  EXPECT_TRUE(last.overflow);
  EXPECT_EQ(offer(q, "1", 10), decision::taken);
  EXPECT_EQ(offer(q, "messages", 0), decision::refused);
  EXPECT_EQ(last.why.code(), errc::limit_exceeded);
  EXPECT_EQ(last.why.message(), "The outbox is full: it holds 2 notifications with 25 bytes.");
  // What is on its way still needs its room.
  const auto sent = send(q);
  EXPECT_EQ(offer(q, "still", 1), decision::refused);
  answer(q, sent[0]);
  EXPECT_EQ(offer(q, "now", 15), decision::taken);
  EXPECT_EQ(q.counts().accepted, 3u);
  EXPECT_EQ(q.counts().refused, 0u) << "the sender counts, when no wait has helped";
}

TEST_F(outbox_queues, drop_the_oldest_that_is_not_on_its_way) {
  outbox_queue q({.max_messages = 3, .max_bytes = 40, .rule = when_full::drop_oldest, .window = 1});
  for (const char* e : {"0", "1", "2"}) offer(q, e);
  send(q);
  EXPECT_EQ(offer(q, "3"), decision::taken);
  EXPECT_EQ(offer(q, "wide", 25), decision::taken) << "takes the room of two";
  const std::string full = ": The outbox is full: it holds ";
  EXPECT_EQ(endings(), (strings{"dropped 1" + full + "2 notifications with 20 bytes.",
                                "dropped 2" + full + "2 notifications with 20 bytes.",
                                "dropped 3" + full + "1 notifications with 10 bytes."}));
  EXPECT_EQ(q.counts().bytes, 35u);
  EXPECT_EQ(q.counts().dropped, 3u);
}

TEST_F(outbox_queues, drop_the_newest_where_dropping_others_gives_no_room) {
  outbox_queue q({.max_messages = 2, .max_bytes = 40, .rule = when_full::drop_oldest});
  offer(q, "0", 30);
  send(q);
  offer(q, "1", 5);
  const auto wide = entry("wide", 20);
  EXPECT_EQ(offer(q, wide), decision::taken);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].of, wide);
  EXPECT_EQ(wide->message.body, "") << "only its report is kept";
  EXPECT_EQ(q.counts().held, 2u);
  EXPECT_EQ(q.counts().accepted, 3u);
}

TEST_F(outbox_queues, drop_nothing_when_the_reports_have_no_room) {
  for (const auto rule : {when_full::drop_oldest, when_full::drop_newest}) {
    outbox_queue q({.max_messages = 1, .rule = rule});
    offer(q, "0");
    EXPECT_EQ(offer(q, entry("1"), {.may_drop = false}), decision::refused);
    EXPECT_EQ(last.why.code(), errc::limit_exceeded);
    EXPECT_TRUE(endings().empty());
  }
}

TEST_F(outbox_queues, by_rule_wait_let_messages_wait_in_their_order) {
  outbox_queue q({.max_messages = 2, .rule = when_full::wait});
  offer(q, "0");
  EXPECT_EQ(offer(q, entry("1"), {.others_wait = true}), decision::must_wait)
      << "there is room, but not for this one";
  offer(q, "2");
  const auto late = entry("late");
  EXPECT_EQ(offer(q, late), decision::must_wait);
  EXPECT_FALSE(q.fits(*late));
  EXPECT_EQ(offer(q, entry("3"), {.may_wait = false}), decision::refused);
  answer(q, send(q)[0]);
  ASSERT_TRUE(q.fits(*late));
  q.take_in(late, now);
  EXPECT_EQ(events(send(q)), strings{"late"});
  EXPECT_EQ(q.counts().accepted, 3u);
}

TEST_F(outbox_queues, pause_and_repeat_what_may_pass) {
  outbox_queue q({});
  offer(q, "0");
  offer(q, "1");
  auto sent = send(q);
  const auto p = answer(q, sent[0], away());
  EXPECT_FALSE(p.ended);
  EXPECT_EQ(p.pause, now + 100ms);
  EXPECT_EQ(answer(q, sent[1], away()).pause, std::nullopt) << "the same trouble";
  now += 99ms;
  EXPECT_TRUE(send(q).empty());
  for (const auto pause : {200ms, 400ms, 800ms, 1'600ms, 3'200ms, 5'000ms, 5'000ms}) {
    now += 5s;
    sent = send(q);
    ASSERT_EQ(events(sent), (strings{"0", "1"})) << "in order";
    EXPECT_EQ(answer(q, sent[0], away()).pause, now + pause);
    answer(q, sent[1], failure(errc::authentication_failed, "who?"));
  }
  now += 5s;
  sent = send(q);
  EXPECT_TRUE(answer(q, sent[0]).is_well_again);
  EXPECT_FALSE(answer(q, sent[1]).is_well_again);
  EXPECT_EQ(endings(), (strings{"delivered 0", "delivered 1"}));
  offer(q, "2");
  EXPECT_EQ(answer(q, send(q)[0], away()).pause, now + 100ms) << "from the beginning";
}

TEST_F(outbox_queues, repeat_only_where_it_has_not_arrived) {
  outbox_queue q({});
  const auto e = entry("e", 10, 3);
  offer(q, e);
  send(q);
  (void)q.answer(e, 0, {}, false, now, ended);
  (void)q.answer(e, 1, away(), false, now, ended);
  (void)q.answer(e, 2, failure(errc::malformed_message, "never"), false, now, ended);
  EXPECT_NE(q.answer(e, std::nullopt, {}, false, now, ended).pause, std::nullopt);
  now += 100ms;
  ASSERT_EQ(send(q).size(), 1u);
  EXPECT_EQ(e->left, std::vector<std::size_t>{1});
  EXPECT_TRUE(answer(q, e).ended);
  EXPECT_EQ(endings(), strings{"failed e: never"}) << "one of them refused it for good";
}

TEST_F(outbox_queues, send_suspects_alone) {
  outbox_queue q({});
  for (const char* e : {"0", "large", "2"}) offer(q, e);
  for (const auto& e : send(q)) answer(q, e, failure(errc::precondition_failed, "too large"));
  strings order;
  while (q.can_send(now)) {
    const auto one = send(q);
    ASSERT_EQ(one.size(), 1u);
    order.push_back(one[0]->message.event_type);
    if (order.back() == "large")
      answer(q, one[0], failure(errc::precondition_failed, "too large"));
    else
      answer(q, one[0]);
  }
  EXPECT_EQ(order, (strings{"0", "large", "2"}));
  EXPECT_EQ(endings(), (strings{"delivered 0", "failed large: too large", "delivered 2"}));
}

TEST_F(outbox_queues, keep_what_fails_because_everybody_is_refused) {
  outbox_queue q({});
  offer(q, "e");
  const failure refused(errc::access_refused, "connection limit reached");
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(answer(q, send(q).at(0), refused, true).pause, std::nullopt);
    now += 5s;
  }
  EXPECT_FALSE(answer(q, send(q).at(0), refused).ended) << "a suspect";
  EXPECT_TRUE(answer(q, send(q).at(0), refused).ended);
  EXPECT_EQ(endings(), strings{"failed e: connection limit reached"});
}

TEST_F(outbox_queues, give_up_what_is_too_old) {
  outbox_queue q({.give_up_after = 1s});
  offer(q, "0");
  const auto e = send(q).at(0);
  EXPECT_EQ(e->message.timeout, 1'000ms);
  now += 300ms;
  answer(q, e, away());
  now += 100ms;
  EXPECT_EQ(send(q).at(0)->message.timeout, 600ms);
  answer(q, e, away());
  now += 600ms;
  EXPECT_TRUE(send(q).empty());
  EXPECT_EQ(endings(),
            strings{"failed 0: The notification was not delivered within 1000 ms: gone"});
  EXPECT_EQ(q.counts().bytes, 0u);
  offer(q, "1");
  EXPECT_TRUE(answer(q, send(q).at(0), failure(errc::timed_out, "late")).ended)
      << "its own time is over";
  now += 5s;
  offer(q, "2");
  now += 1s;
  EXPECT_TRUE(send(q).empty());
  EXPECT_EQ(endings(), (strings{"failed 1: late",
                                "failed 2: The notification was not delivered within 1000 ms."}));
}

TEST_F(outbox_queues, end_with_everything_they_hold) {
  outbox_queue q({.window = 1});
  offer(q, "0");
  offer(q, "1");
  const auto on_the_way = send(q).at(0);
  q.close();
  EXPECT_EQ(offer(q, "2"), decision::refused);
  EXPECT_EQ(last.why.code(), errc::closed);
  EXPECT_EQ(q.held(), 2u) << "may still be delivered";
  q.give_up(ended);
  EXPECT_TRUE(q.given_up());
  EXPECT_EQ(endings(),
            (strings{"failed 0: The outbox was closed before the bus had confirmed the "
                     "notification, which may have arrived.",
                     "failed 1: The outbox was closed before the notification was sent."}));
  EXPECT_FALSE(answer(q, on_the_way).ended) << "too late";
  EXPECT_TRUE(endings().empty());
  const auto counts = q.counts();
  EXPECT_EQ(counts.accepted, counts.failed);
  EXPECT_EQ(counts.held + counts.bytes, 0u);
}

}  // namespace
}  // namespace oslo::messaging::notify
