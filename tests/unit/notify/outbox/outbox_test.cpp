#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <oslo/messaging/notify.hpp>
#include <set>
#include <thread>

#include "support/gated_driver.hpp"
#include "support/log_lines.hpp"
#include "support/recording_metrics.hpp"
#include "testing/manual_loop.hpp"

namespace oslo::messaging::notify {
namespace {

using namespace std::chrono_literals;
using strings = std::vector<std::string>;

/// Keeps reports, as "what event code".
class report_book {
 public:
  auto writer() {
    return [this](const delivery_report& r) {
      const std::lock_guard lock(mutex_);
      static const std::map<delivery_outcome, std::string> names{
          {delivery_outcome::delivered, "delivered "},
          {delivery_outcome::dropped, "dropped "},
          {delivery_outcome::failed, "failed "}};
      lines_.push_back(names.at(r.what) + std::string(r.event_type));
      codes_.push_back(r.why.code());
      changed_.notify_all();
    };
  }
  /// The reports so far, once there are `count`.
  strings wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 20s, [&] { return lines_.size() >= count; });
    return lines_;
  }
  strings lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  std::vector<errc> codes() const {
    const std::lock_guard lock(mutex_);
    return codes_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  strings lines_;
  std::vector<errc> codes_;
};

class outboxes : public ::testing::Test {
 protected:
  notifier make(notifier_options n = {}, transport_options t = {}) {
    t.log = lines.into();
    if (!n.drivers) n.drivers = strings{"messagingv2"};
    return notifier(testing::open_gated(gate, std::move(t)), std::move(n));
  }
  outbox_options reporting(outbox_options o = {}) {
    o.on_report = book.writer();
    return o;
  }
  strings events() const {
    strings out;
    for (const auto& s : gate->sent()) out.push_back(s.event_type);
    return out;
  }
  static result<void> post(outbox& box, const std::string& event) {
    return box.post(priority::info, {}, event, 1);
  }

  testing::log_lines lines;
  std::shared_ptr<testing::gate_keeper> gate = std::make_shared<testing::gate_keeper>();
  report_book book;
};

strings numbered(const std::string& what, int from, int to) {
  strings out;
  for (int i = from; i < to; ++i) out.push_back(what + std::to_string(i));
  return out;
}

TEST_F(outboxes, send_in_order_without_waiting_for_each_confirm) {
  outbox box(make(), reporting({.window = 3}));
  for (const auto& e : numbered("", 0, 5)) EXPECT_TRUE(post(box, e).has_value());
  ASSERT_TRUE(gate->wait_for(3));
  EXPECT_EQ(events(), numbered("", 0, 3));
  EXPECT_EQ(box.counts().held, 5u);
  gate->answer(1);
  ASSERT_TRUE(gate->wait_for(4));
  gate->answer(3);
  ASSERT_TRUE(gate->wait_for(5));
  gate->answer(1);
  EXPECT_EQ(book.wait_for(5), numbered("delivered ", 0, 5));
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(events(), numbered("", 0, 5));
  const auto counts = box.counts();
  EXPECT_EQ(counts.accepted, 5u);
  EXPECT_EQ(counts.delivered, 5u);
  EXPECT_EQ(counts.held, 0u);
  EXPECT_EQ(counts.bytes, 0u);
}

TEST_F(outboxes, ask_the_driver_for_what_their_own_rules_say) {
  outbox box(make({.retry = 0, .timeout = 1ms}), reporting());
  EXPECT_TRUE(post(box, "e").has_value());
  ASSERT_TRUE(gate->wait_for(1));
  const auto sent = gate->sent().front();
  EXPECT_EQ(sent.options.retry, -1);
  EXPECT_EQ(sent.options.timeout, std::nullopt);
  EXPECT_EQ(*sent.to.topic, "notifications.info");
  gate->answer(1);
  EXPECT_EQ(book.wait_for(1), (strings{"delivered e"}));
}

TEST_F(outboxes, by_rule_error_refuse_what_does_not_fit) {
  outbox box(make(), reporting({.max_messages = 2}));
  EXPECT_TRUE(post(box, "0").has_value());
  EXPECT_TRUE(post(box, "1").has_value());
  const auto refused = post(box, "2");
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code(), errc::limit_exceeded);
  EXPECT_EQ(refused.error().message().substr(0, 42), "The outbox is full: it holds 2 notificatio");
  gate->deliver_all();
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_TRUE(post(box, "3").has_value());
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(book.lines(), (strings{"delivered 0", "delivered 1", "delivered 3"}));
  EXPECT_EQ(box.counts().refused, 1u);
  EXPECT_EQ(lines.count(log_level::warning, "Outbox \"notifications\" overflows."), 1);
}

TEST_F(outboxes, by_rule_drop_newest_drop_what_does_not_fit) {
  outbox box(make(), reporting({.max_messages = 2, .rule = when_full::drop_newest}));
  for (const auto& e : numbered("", 0, 4)) EXPECT_TRUE(post(box, e).has_value());
  EXPECT_EQ(book.wait_for(2), numbered("dropped ", 2, 4));
  EXPECT_EQ(book.codes().front(), errc::limit_exceeded);
  gate->deliver_all();
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(book.lines(), (strings{"dropped 2", "dropped 3", "delivered 0", "delivered 1"}));
  EXPECT_EQ(box.counts().dropped, 2u);
  EXPECT_EQ(box.counts().accepted, 4u);
}

TEST_F(outboxes, by_rule_drop_oldest_drop_what_is_not_on_its_way) {
  outbox box(make(), reporting({.max_messages = 4, .rule = when_full::drop_oldest, .window = 2}));
  EXPECT_TRUE(post(box, "0").has_value());
  EXPECT_TRUE(post(box, "1").has_value());
  ASSERT_TRUE(gate->wait_for(2));
  for (const auto& e : numbered("", 2, 7)) EXPECT_TRUE(post(box, e).has_value());
  EXPECT_EQ(book.wait_for(3), numbered("dropped ", 2, 5));
  gate->deliver_all();
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(events(), (strings{"0", "1", "5", "6"}));
}

TEST_F(outboxes, with_nothing_but_messages_on_their_way_drop_the_newest) {
  outbox box(make(), reporting({.max_messages = 2, .rule = when_full::drop_oldest, .linger = 0ms}));
  EXPECT_TRUE(post(box, "0").has_value());
  EXPECT_TRUE(post(box, "1").has_value());
  ASSERT_TRUE(gate->wait_for(2));
  EXPECT_TRUE(post(box, "2").has_value());
  EXPECT_EQ(book.wait_for(1), (strings{"dropped 2"}));
}

TEST_F(outboxes, by_rule_wait_wait_for_room) {
  outbox box(make(), reporting({.max_messages = 1, .rule = when_full::wait, .wait_limit = 1h}));
  EXPECT_TRUE(post(box, "0").has_value());
  ASSERT_TRUE(gate->wait_for(1));
  std::vector<std::future<bool>> posters;
  for (int i = 0; i < 3; ++i)
    posters.push_back(
        std::async(std::launch::async, [&] { return post(box, "later").has_value(); }));
  gate->deliver_all();
  for (auto& p : posters) EXPECT_TRUE(p.get());
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(book.lines(),
            (strings{"delivered 0", "delivered later", "delivered later", "delivered later"}));
}

TEST_F(outboxes, by_rule_wait_refuse_what_waited_too_long) {
  outbox box(make(), reporting({.max_messages = 1, .rule = when_full::wait, .wait_limit = 10ms}));
  EXPECT_TRUE(post(box, "0").has_value());
  const auto refused = post(box, "1");
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code(), errc::limit_exceeded);
  EXPECT_NE(refused.error().message().find("There was no room within 10 ms."), std::string::npos);
  gate->deliver_all();
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(events(), (strings{"0"}));
}

TEST_F(outboxes, by_rule_wait_never_block_the_loop) {
  outbox box(
      make(),
      reporting({.max_messages = 1, .rule = when_full::wait, .wait_limit = 1h, .linger = 0ms}));
  std::promise<std::pair<bool, errc>> on_loop;
  box.through().bus().loop().post([&] {
    const bool first = post(box, "0").has_value();
    on_loop.set_value({first, post(box, "1").error().code()});
  });
  EXPECT_EQ(on_loop.get_future().get(), std::pair(true, errc::would_deadlock));
}

TEST_F(outboxes, count_bytes) {
  outbox box(make(), reporting({.max_bytes = 2'000}));
  const auto large = box.post(priority::info, {}, "e", std::string(3'000, 'x'));
  ASSERT_TRUE(large.has_error());
  EXPECT_EQ(large.error().code(), errc::limit_exceeded);
  EXPECT_NE(large.error().message().find("does not fit into an outbox of 2000 bytes"),
            std::string::npos);
  EXPECT_TRUE(box.post(priority::info, {}, "e", std::string(1'000, 'x')).has_value());
  EXPECT_GT(box.counts().bytes, 1'000u);
  EXPECT_FALSE(box.post(priority::info, {}, "e", std::string(1'000, 'x')).has_value());
  gate->deliver_all();
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(box.counts().bytes, 0u);
}

TEST_F(outboxes, count_the_context_that_is_sent) {
  outbox box(make({.redact = whole_context}), reporting({.max_bytes = 2'000}));
  EXPECT_FALSE(
      box.post(priority::info, context{{"k", std::string(3'000, 'x')}}, "e", 1).has_value());
}

TEST_F(outboxes, refuse_a_context_that_cannot_be_written) {
  outbox box(make({.redact = whole_context}), reporting());
  const auto refused = box.post(priority::info, context{{"user", "\xff"}}, "e", 1);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code(), errc::serialization_failed);
  EXPECT_EQ(box.counts().refused, 1u);
  EXPECT_EQ(box.counts().held, 0u);
}

TEST_F(outboxes, refuse_what_cannot_be_written) {
  outbox box(make(), reporting());
  const auto refused = box.post(priority::info, {}, "e", std::string("\xff"));
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code(), errc::serialization_failed);
  EXPECT_EQ(box.counts().refused, 1u);
  EXPECT_EQ(box.counts().accepted, 0u);
}

class outboxes_in_time : public outboxes {
 protected:
  notifier make_timed(notifier_options n = {}) { return make(std::move(n), {.loop = loop}); }
  std::shared_ptr<testing::manual_loop> loop = std::make_shared<testing::manual_loop>();
};

TEST_F(outboxes_in_time, repeat_what_the_bus_does_not_take_now_in_order_and_unchanged) {
  outbox box(make_timed(), reporting());
  for (const auto& e : numbered("", 0, 3)) EXPECT_TRUE(post(box, e).has_value());
  loop->settle();
  ASSERT_EQ(gate->sent().size(), 3u);
  gate->answer(3, failure(errc::unreachable, "gone"));
  loop->settle();
  EXPECT_TRUE(post(box, "3").has_value());
  loop->advance(99ms);
  EXPECT_EQ(gate->sent().size(), 3u) << "not before the pause is over";
  loop->advance(1ms);
  ASSERT_EQ(gate->sent().size(), 7u);
  gate->answer(4, failure(errc::authentication_failed, "who?"));
  loop->settle();
  loop->advance(199ms);
  EXPECT_EQ(gate->sent().size(), 7u) << "pauses double";
  gate->deliver_all();
  loop->advance(1ms);
  EXPECT_EQ(book.lines(), numbered("delivered ", 0, 4));
  const auto sent = gate->sent();
  EXPECT_EQ(events(), (strings{"0", "1", "2", "0", "1", "2", "3", "0", "1", "2", "3"}));
  EXPECT_EQ(sent[0].message, sent[3].message) << "with its id and time";
  EXPECT_EQ(sent[0].message, sent[7].message);
  EXPECT_EQ(lines.with("wait in outbox"),
            (strings{"3 notifications wait in outbox \"notifications\": gone"}));
  EXPECT_EQ(lines.count(log_level::info,
                        "The bus takes the notifications of outbox \"notifications\" again."),
            1);
  EXPECT_EQ(lines.count(log_level::error, ""), 0);
}

TEST_F(outboxes_in_time, repeat_only_for_the_topics_that_have_not_got_it) {
  outbox box(make_timed({.drivers = {{"messaging", "test"}}, .topics = {{"a", "b"}}}), reporting());
  reset_kept_notifications();
  EXPECT_TRUE(post(box, "e").has_value());
  loop->settle();
  gate->answer(1);
  gate->answer(1, failure(errc::rejected, "full"));
  loop->settle();
  EXPECT_TRUE(book.lines().empty());
  loop->advance(100ms);
  gate->answer(1);
  loop->settle();
  EXPECT_EQ(book.lines(), (strings{"delivered e"}));
  strings topics;
  for (const auto& s : gate->sent()) topics.push_back(*s.to.topic);
  EXPECT_EQ(topics, (strings{"a.info", "b.info", "b.info"}));
  EXPECT_EQ(kept_notifications().size(), 1u);
}

TEST_F(outboxes_in_time, report_what_the_bus_refuses_for_good) {
  outbox box(make_timed(), reporting());
  EXPECT_TRUE(post(box, "bad").has_value());
  EXPECT_TRUE(post(box, "good").has_value());
  loop->settle();
  gate->answer(1, failure(errc::malformed_message, "no"));
  gate->answer(1);
  loop->settle();
  EXPECT_EQ(book.lines(), (strings{"failed bad", "delivered good"}));
  EXPECT_EQ(book.codes().front(), errc::malformed_message);
  EXPECT_EQ(lines.with("Could not"), (strings{"Could not deliver notification bad: no"}));
}

TEST_F(outboxes_in_time, keep_what_fails_because_the_whole_connection_is_refused) {
  outbox box(make_timed(), reporting());
  for (const auto& e : {"0", "1"}) EXPECT_TRUE(post(box, e).has_value());
  loop->settle();
  gate->set_health({.publishing = link_state::refused});
  for (int attempt = 0; attempt < 3; ++attempt) {
    gate->answer(gate->unanswered(), failure(errc::access_refused, "connection limit reached"));
    loop->settle();
    EXPECT_EQ(gate->unanswered(), 0u) << "after a pause";
    loop->advance(5s);
    loop->settle();
    EXPECT_EQ(gate->unanswered(), 2u);
  }
  gate->set_health({.publishing = link_state::connected});
  gate->answer(1);
  gate->answer(1, failure(errc::access_refused, "no right to this exchange"));
  loop->settle();
  gate->answer(1, failure(errc::access_refused, "no right to this exchange"));
  loop->settle();
  EXPECT_EQ(book.lines(), (strings{"delivered 0", "failed 1"}));
}

TEST_F(outboxes_in_time, find_the_guilty_one_among_its_neighbours) {
  outbox box(make_timed(), reporting());
  for (const auto& e : {"0", "large", "2"}) EXPECT_TRUE(post(box, e).has_value());
  loop->settle();
  gate->answer(3, failure(errc::precondition_failed, "too large"));
  loop->settle();
  EXPECT_EQ(gate->unanswered(), 1u) << "one at a time";
  gate->answer(1);
  loop->settle();
  EXPECT_EQ(gate->unanswered(), 1u);
  gate->answer(1, failure(errc::precondition_failed, "too large"));
  loop->settle();
  EXPECT_EQ(gate->unanswered(), 1u);
  gate->answer(1);
  loop->settle();
  EXPECT_EQ(book.lines(), (strings{"delivered 0", "failed large", "delivered 2"}));
}

TEST_F(outboxes_in_time, give_up_what_is_too_old) {
  outbox box(make_timed(), reporting({.window = 1, .give_up_after = 1s}));
  EXPECT_TRUE(post(box, "0").has_value());
  loop->advance(400ms);
  EXPECT_TRUE(post(box, "1").has_value());
  loop->settle();
  EXPECT_EQ(gate->sent().back().options.timeout, 1000ms);
  gate->answer(1, failure(errc::not_sent, "gone"));
  loop->settle();
  loop->advance(100ms);
  ASSERT_EQ(gate->sent().size(), 2u);
  EXPECT_EQ(gate->sent().back().options.timeout, 500ms);
  loop->advance(500ms);
  gate->answer(1, failure(errc::timed_out, "late"));
  loop->settle();
  EXPECT_EQ(book.lines(), (strings{"failed 0"}));
  EXPECT_EQ(gate->sent().back().event_type, "1");
  gate->answer(1, failure(errc::rejected, "full"));
  loop->settle();
  loop->advance(200ms);
  EXPECT_EQ(gate->sent().back().options.timeout, 200ms);
  gate->answer(1, failure(errc::rejected, "full"));
  loop->settle();
  loop->advance(400ms);
  EXPECT_EQ(book.lines(), (strings{"failed 0", "failed 1"}));
  EXPECT_EQ(book.codes().back(), errc::timed_out);
  EXPECT_EQ(box.counts().failed, 2u);
}

TEST_F(outboxes_in_time, wait_for_room_in_coroutines_without_a_thread) {
  outbox box(
      make_timed(),
      reporting({.max_messages = 1, .rule = when_full::wait, .wait_limit = 1s, .linger = 0ms}));
  boost::asio::io_context io;
  const auto told = [&](outbox& to, std::string event) -> boost::asio::awaitable<std::string> {
    const auto r = co_await to.when_posted(priority::info, {}, event, 1);
    co_return r ? "accepted" : r.error().message();
  };
  auto first = boost::asio::co_spawn(io, told(box, "0"), boost::asio::use_future);
  auto second = boost::asio::co_spawn(io, told(box, "1"), boost::asio::use_future);
  auto third = boost::asio::co_spawn(io, told(box, "2"), boost::asio::use_future);
  auto flushed = boost::asio::co_spawn(
      io,
      [&](outbox& to) -> boost::asio::awaitable<bool> {
        const auto r = co_await to.when_flushed(500ms);
        co_return r.has_value();
      }(box),
      boost::asio::use_future);
  while (io.poll() != 0) {
  }
  EXPECT_EQ(first.get(), "accepted");
  loop->settle();
  gate->answer(1);
  loop->settle();
  loop->advance(1s);
  io.run();
  EXPECT_EQ(second.get(), "accepted");
  EXPECT_NE(third.get().find("There was no room within 1000 ms."), std::string::npos);
  EXPECT_TRUE(flushed.get());
  EXPECT_EQ(events(), (strings{"0", "1"}));
}

TEST_F(outboxes_in_time, flush_without_waiting) {
  outbox box(make_timed(), reporting({.linger = 0ms}));
  std::vector<std::string> outcomes;
  const auto note = [&](result<void> r) {
    EXPECT_TRUE(loop->running_here());
    outcomes.push_back(r ? "done" : r.error().message());
  };
  box.async_flush(1s, note);
  loop->settle();
  EXPECT_EQ(outcomes, (strings{"done"}));
  EXPECT_TRUE(post(box, "0").has_value());
  box.async_flush(1s, note);
  box.async_flush(3s, note);
  EXPECT_TRUE(post(box, "1").has_value());
  loop->advance(1s);
  EXPECT_EQ(outcomes, (strings{"done", "1 notifications were not delivered in time."}));
  gate->answer(1);
  loop->settle();
  EXPECT_EQ(outcomes.back(), "done") << "what was posted later does not count";
  loop->advance(5s);
  EXPECT_EQ(outcomes.size(), 3u);
}

TEST_F(outboxes, flush_within_a_deadline) {
  outbox box(make(), reporting());
  EXPECT_TRUE(box.flush(0ms).has_value()) << "nothing to do";
  EXPECT_TRUE(post(box, "0").has_value());
  const auto late = box.flush(1ms);
  ASSERT_TRUE(late.has_error());
  EXPECT_EQ(late.error().code(), errc::timed_out);
  gate->deliver_all();
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(book.lines().size(), 1u) << "after its report";
}

TEST_F(outboxes, are_not_flushed_on_the_loop) {
  outbox box(make());
  std::promise<errc> on_loop, in_report;
  EXPECT_TRUE(
      box.post(priority::info, {}, "e", 1,
               [&](const delivery_report&) { in_report.set_value(box.flush(1h).error().code()); })
          .has_value());
  box.through().bus().loop().post([&] { on_loop.set_value(box.flush(1h).error().code()); });
  EXPECT_EQ(on_loop.get_future().get(), errc::would_deadlock);
  gate->deliver_all();
  EXPECT_EQ(in_report.get_future().get(), errc::would_deadlock);
}

TEST_F(outboxes, report_to_the_function_of_the_message) {
  outbox box(make(), reporting());
  std::promise<std::string> own;
  EXPECT_TRUE(box.post(priority::sample, {}, "mine", 1,
                       [&](const delivery_report& r) {
                         own.set_value(std::string(r.event_type) + " " +
                                       std::string(to_string(r.priority)) + " " +
                                       std::to_string(r.message_id.size()));
                       })
                  .has_value());
  EXPECT_TRUE(post(box, "other").has_value());
  gate->deliver_all();
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(own.get_future().get(), "mine sample 36");
  EXPECT_EQ(book.lines(), (strings{"delivered other"}));
}

TEST_F(outboxes, survive_reports_that_throw_or_post) {
  outbox* to = nullptr;
  std::atomic<int> reports{0};
  outbox box(make(), {.on_report = [&](const delivery_report& r) {
               ++reports;
               if (r.event_type == "throw") throw std::runtime_error("careless");
               if (r.event_type == "again") (void)post(*to, "last");
             }});
  to = &box;
  gate->deliver_all();
  for (const auto* e : {"throw", "again"}) EXPECT_TRUE(post(box, e).has_value());
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(reports, 3);
  EXPECT_TRUE(lines.wait_for(log_level::error, "careless"));
}

TEST_F(outboxes, survive_callbacks_that_throw) {
  outbox box(make(), reporting({.max_messages = 1, .rule = when_full::wait, .wait_limit = 20s}));
  std::promise<void> parked;
  EXPECT_TRUE(post(box, "first").has_value());
  box.async_post_json(priority::info, {}, "second", "1", [&](result<void> r) {
    EXPECT_TRUE(r.has_value());
    parked.set_value();
    throw std::runtime_error("careless acceptance");
  });
  box.async_flush(20s, [](result<void>) { throw std::runtime_error("careless flush"); });
  ASSERT_TRUE(gate->wait_for(1));
  gate->deliver_all();
  parked.get_future().get();
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(book.lines(), (strings{"delivered first", "delivered second"}));
  EXPECT_TRUE(lines.wait_for(log_level::error, "careless acceptance"));
  EXPECT_TRUE(lines.wait_for(log_level::error, "careless flush"));
  EXPECT_TRUE(post(box, "third").has_value());
  EXPECT_TRUE(box.flush(20s).has_value());
  EXPECT_EQ(book.lines().size(), 3u);
}

TEST_F(outboxes, end_with_one_report_for_everything_they_hold) {
  std::size_t accepted = 0;
  {
    outbox box(make(), reporting({.max_messages = 50, .window = 10, .linger = 1ms}));
    while (post(box, std::to_string(accepted)).has_value()) ++accepted;
    ASSERT_TRUE(gate->wait_for(10));
    gate->answer(2);
    EXPECT_EQ(book.wait_for(2).size(), 2u);
  }
  EXPECT_EQ(accepted, 50u);
  const auto reports = book.lines();
  EXPECT_EQ(reports.size(), 50u) << "the destructor returns after them";
  std::set<std::string> events;
  for (const auto& r : reports) events.insert(r.substr(r.find(' ')));
  EXPECT_EQ(events.size(), 50u);
  EXPECT_EQ(book.codes().back(), errc::closed);
  EXPECT_EQ(
      lines.count(log_level::error, "Outbox \"notifications\" was closed with 48 undelivered"), 1);
}

TEST_F(outboxes, let_the_bus_take_what_it_can_before_they_end) {
  {
    outbox box(make(), reporting({.window = 1}));
    for (const auto& e : numbered("", 0, 20)) EXPECT_TRUE(post(box, e).has_value());
    gate->deliver_all();
  }
  EXPECT_EQ(book.lines(), numbered("delivered ", 0, 20));
}

TEST_F(outboxes, end_on_the_loop_without_waiting) {
  auto box = std::make_unique<outbox>(make(), reporting({.linger = 1h}));
  EXPECT_TRUE(post(*box, "0").has_value());
  ASSERT_TRUE(gate->wait_for(1));
  const auto bus = box->through().bus();
  std::promise<std::size_t> reports;
  bus.loop().post([&] {
    box.reset();
    reports.set_value(book.lines().size());
  });
  EXPECT_EQ(reports.get_future().get(), 1u);
}

TEST_F(outboxes, end_inside_of_a_report) {
  auto box = std::make_unique<outbox>(make(), outbox_options{});
  auto note = book.writer();
  std::promise<void> ended;
  EXPECT_TRUE(box->post(priority::info, {}, "0", 1,
                        [&](const delivery_report&) {
                          box.reset();
                          ended.set_value();
                        })
                  .has_value());
  for (const auto& e : numbered("", 1, 4))
    EXPECT_TRUE(box->post(priority::info, {}, e, 1, note).has_value());
  ASSERT_TRUE(gate->wait_for(4));
  gate->answer(1);
  ended.get_future().get();
  EXPECT_EQ(book.wait_for(3), numbered("failed ", 1, 4));
}

TEST_F(outboxes, take_nothing_once_they_are_closed) {
  outbox box(make(), reporting({.max_messages = 1, .rule = when_full::wait, .wait_limit = 1h}));
  EXPECT_TRUE(post(box, "0").has_value());
  auto waiting = std::async(std::launch::async, [&] { return post(box, "1").error().code(); });
  box.close(1ms);
  EXPECT_EQ(waiting.get(), errc::closed);
  EXPECT_EQ(post(box, "2").error().code(), errc::closed);
  EXPECT_EQ(book.lines(), (strings{"failed 0"}));
  box.close(1h);
  EXPECT_TRUE(box.flush(1h).has_value());
}

TEST_F(outboxes, cancel_what_they_have_given_up) {
  const auto n = make();
  {
    outbox box(n, reporting({.linger = 0ms}));
    EXPECT_TRUE(post(box, "0").has_value());
    ASSERT_TRUE(gate->wait_for(1));
  }
  EXPECT_TRUE(gate->wait_for_answers());
}

TEST_F(outboxes, without_a_driver_refuse_everything) {
  outbox box(make({.drivers = strings{}}), reporting());
  EXPECT_EQ(post(box, "0").error().code(), errc::not_sent);
  EXPECT_EQ(box.counts().refused, 1u);
  EXPECT_EQ(box.counts().accepted, 0u);
}

TEST_F(outboxes, take_messages_of_many_threads_and_report_each_once) {
  constexpr int threads = 4, each = 1'000;
  for (const auto rule :
       {when_full::wait, when_full::drop_oldest, when_full::drop_newest, when_full::error}) {
    std::mutex mutex;
    std::map<std::string, int> reports;
    std::atomic<std::uint64_t> accepted{0}, refused{0};
    int calls = 0;
    gate->answer_all([&](const std::string&) -> result<void> {
      if (++calls % 401 == 0) return failure(errc::rejected, "for now");
      return {};
    });
    outbox_counts counts;
    {
      outbox box(make(), {.max_messages = 64,
                          .rule = rule,
                          .wait_limit = 20s,
                          .window = 16,
                          .linger = 20s,
                          .on_report = [&](const delivery_report& r) {
                            const std::lock_guard lock(mutex);
                            ++reports[std::string(r.event_type)];
                          }});
      {
        std::vector<std::jthread> posters;
        for (int t = 0; t < threads; ++t)
          posters.emplace_back([&, t] {
            for (int i = 0; i < each; ++i) {
              if (post(box, std::to_string(t) + "-" + std::to_string(i)))
                ++accepted;
              else
                ++refused;
              // Each refusal of the bus costs a pause.
              if (i % 500 == 0 && rule == when_full::wait) (void)box.flush(20s);
            }
          });
      }
      EXPECT_TRUE(box.flush(20s).has_value());
      counts = box.counts();
    }
    EXPECT_EQ(accepted + refused, std::uint64_t{threads * each});
    EXPECT_EQ(reports.size(), accepted);
    for (const auto& [event, n] : reports) EXPECT_EQ(n, 1) << event;
    EXPECT_EQ(counts.accepted, accepted);
    EXPECT_EQ(counts.refused, refused);
    EXPECT_EQ(counts.delivered + counts.dropped, accepted);
    EXPECT_EQ(counts.failed, 0u);
    if (rule == when_full::wait) {
      EXPECT_EQ(counts.delivered, std::uint64_t{threads * each});
    }
  }
}

TEST_F(outboxes, are_measured) {
  const auto meter = std::make_shared<testing::recording_metrics>();
  const auto n = make({}, {.meter = meter});
  {
    outbox box(n, reporting({.name = "audit", .max_messages = 1, .rule = when_full::drop_newest}));
    EXPECT_TRUE(post(box, "0").has_value());
    ASSERT_TRUE(gate->wait_for(1));
    EXPECT_TRUE(post(box, "1").has_value());
    EXPECT_EQ(book.wait_for(1), (strings{"dropped 1"}));
    gate->answer(1);
    EXPECT_TRUE(box.flush(20s).has_value());
  }
  // The turn of the loop that has answered the flush measures afterwards.
  std::promise<void> next_turn;
  n.bus().loop().post([&] { next_turn.set_value(); });
  next_turn.get_future().wait();
  const auto all = meter->lines();
  const auto count = [&](const std::string& line) {
    return std::count(all.begin(), all.end(), line);
  };
  EXPECT_EQ(count("notification_outbox_messages set outbox=audit"), 2);
  EXPECT_EQ(count("notification_outbox_dropped_total +1 outbox=audit"), 1);
  EXPECT_EQ(count("notification_outbox_delivered_total +1 outbox=audit"), 1);
}

TEST_F(outboxes, need_limits_that_make_sense) {
  const auto n = make();
  EXPECT_THROW(outbox(n, {.max_messages = 0}), configuration_error);
  EXPECT_THROW(outbox(n, {.max_bytes = 0}), configuration_error);
  EXPECT_THROW(outbox(n, {.window = 0}), configuration_error);
  EXPECT_THROW(outbox(n, {.give_up_after = 0ms}), configuration_error);
}

TEST_F(outboxes, fail_when_the_transport_is_closed) {
  const auto n = make();
  outbox box(n, reporting());
  EXPECT_TRUE(post(box, "0").has_value());
  ASSERT_TRUE(gate->wait_for(1));
  gate->answer(1, failure(errc::closed, "The transport is closed."));
  EXPECT_EQ(book.wait_for(1), (strings{"failed 0"}));
}

}  // namespace
}  // namespace oslo::messaging::notify
