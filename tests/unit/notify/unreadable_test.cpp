// Messages that a handler, or the serializer, cannot read: no other delivery would help.
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <stdexcept>
#include <utility>

#include "support/odd_code.hpp"
#include "unit/notify/handling_harness.hpp"

namespace oslo::messaging::notify {
namespace {

namespace asio = boost::asio;

const std::string too_big = R"({"size": "big"})";
const char* const dropped =
    "A notification was dropped, because its handler cannot read it: "
    "payload.size: expected int, got string";

TEST_F(deliveries, a_payload_of_another_type_is_dropped_with_its_path) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [](sized_payload) { FAIL(); });
  EXPECT_EQ(make({e}).dispatch(body_of("INFO", "ev", R"({"size": "big"})")), outcome::handled);
  EXPECT_EQ(lines.count(log_level::error, "payload.size: expected int, got string"), 1);
}

TEST_F(deliveries, a_batch_can_be_read_as_a_type) {
  auto e = std::make_shared<endpoint>();
  std::string seen;
  e->bind_batch(priority::info, [&](std::span<const typed_notification<sized_payload>> batch) {
    for (const auto& n : batch)
      seen += *n.about.event_type + '=' + n.payload.name + std::to_string(n.payload.size) + ' ';
  });
  e->bind_batch(priority::warn, [&](std::span<const typed_notification<value>> batch) {
    for (const auto& n : batch) seen += to_json(n.payload) + ' ';
  });
  e->bind_batch(priority::error, [&](std::span<const typed_notification<raw_json>> batch) {
    for (const auto& n : batch) seen += n.payload.text + ' ';
    return outcome::requeue;
  });
  const auto v = make({e}, true).dispatch(
      batch_of({body_of("INFO", "a"), body_of("INFO", "b", R"({"size": "big"})"),
                body_of("INFO", "c", R"({"name": "m", "size": 4})"), body_of("WARN", "d", "[1]"),
                body_of("ERROR", "e", "2.50")}));
  const auto h = outcome::handled;
  EXPECT_EQ(v, (std::vector<outcome>{h, h, h, h, outcome::requeue}));
  EXPECT_EQ(seen, "a=n3 c=m4 [1] 2.50 ");
  EXPECT_EQ(lines.count(log_level::error,
                        "A notification was dropped, because its handler cannot read it: "
                        "payload.size: expected int, got string"),
            1);
}

TEST_F(deliveries, a_batch_of_which_nothing_can_be_read_is_not_handed_out) {
  auto e = std::make_shared<endpoint>();
  e->bind_batch(priority::info, [](std::span<const typed_notification<sized_payload>>) { FAIL(); });
  e->bind_batch(priority::warn,
                [](std::span<const typed_notification<sized_payload>>) -> asio::awaitable<void> {
                  ADD_FAILURE();
                  co_return;
                });
  EXPECT_EQ(
      make({e}, true).dispatch(batch_of({body_of("INFO", "a", "1"), body_of("WARN", "b", "1")})),
      (std::vector<outcome>{outcome::handled, outcome::handled}));
}

TEST_F(deliveries, what_no_codec_can_read_is_handled) {
  for (const auto& [kind, reason] : testing::odd_kinds) {
    auto e = std::make_shared<endpoint>();
    int calls = 0;
    e->bind(priority::info, [&](const testing::odd_value&) { ++calls; });
    e->bind(priority::warn, [&](const testing::odd_value&) -> asio::awaitable<void> {
      ++calls;
      co_return;
    });
    e->bind(priority::error, [&](const testing::odd_value&, responder r) {
      ++calls;
      r.answer();
    });
    e->bind_batch(priority::info,
                  [&](std::span<const typed_notification<testing::odd_value>> batch) {
                    calls += static_cast<int>(batch.size());
                  });
    const auto bad = "\"" + std::string(kind) + "\"";
    for (const char* p : {"INFO", "WARN", "ERROR"})
      EXPECT_EQ(make({e}).dispatch(body_of(p, "ev", bad)), outcome::handled) << kind << p;
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(make({e}, true).dispatch(
                  batch_of({body_of("INFO", "a", bad), body_of("INFO", "b", R"("good")")})),
              (std::vector<outcome>{outcome::handled, outcome::handled}));
    EXPECT_EQ(calls, 1) << "the other one of the batch";
    const std::string place =
        std::string_view(kind) == "failure" ? "" : "payload: cannot be read: ";
    EXPECT_EQ(lines.count(log_level::error,
                          "A notification was dropped, because its handler cannot read it: " +
                              place + std::string(reason)),
              4);
  }
}

TEST_F(deliveries, what_no_serializer_can_read_is_handled) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] { FAIL(); });
  e->bind_batch(priority::info, [](std::span<const notification>) { FAIL(); });
  for (const auto& [kind, reason] : testing::odd_kinds)
    for (const bool of_context : {false, true})
      for (const bool batches : {false, true}) {
        const auto s = std::make_shared<testing::odd_serializer>(of_context ? "" : kind,
                                                                 of_context ? kind : "");
        EXPECT_EQ(make({e}, batches, s).dispatch(body_of("INFO")), outcome::handled);
      }
  for (const auto& [kind, reason] : testing::odd_kinds)
    EXPECT_EQ(lines.count(log_level::error,
                          "A notification was dropped, because the serializer cannot read it: " +
                              std::string(reason)),
              4);
}

TEST_F(deliveries, a_handler_that_reads_the_payload_itself_is_treated_like_a_typed_one) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [](const notification& n) { n.payload<sized_payload>(); });
  e->bind(priority::warn, [](notification copy) -> asio::awaitable<outcome> {
    copy.payload<sized_payload>();
    co_return outcome::requeue;
  });
  e->bind(priority::error, [](const notification& n, responder) { n.payload<sized_payload>(); });
  auto next = std::make_shared<endpoint>();
  std::string seen;
  for (const auto p : {priority::info, priority::warn, priority::error})
    next->bind(p, [&](raw_json text) { seen += text.text; });
  auto d = make({e, next});
  for (const char* p : {"INFO", "WARN", "ERROR"})
    EXPECT_EQ(d.dispatch(body_of(p, "ev", too_big)), outcome::handled) << p;
  EXPECT_EQ(lines.count(log_level::error, dropped), 3);
  EXPECT_EQ(lines.count(log_level::error, "Exception"), 0);
  EXPECT_EQ(seen, too_big + too_big + too_big) << "another endpoint may read it";
}

TEST_F(deliveries, a_codec_that_throws_anything_in_a_handler_is_no_reason_to_requeue) {
  for (const auto& [kind, reason] : testing::odd_kinds) {
    auto e = std::make_shared<endpoint>();
    e->bind(priority::info, [](const notification& n) { n.payload<testing::odd_value>(); });
    const auto bad = "\"" + std::string(kind) + "\"";
    EXPECT_EQ(make({e}).dispatch(body_of("INFO", "ev", bad)), outcome::handled) << kind;
    EXPECT_EQ(lines.count(log_level::error, std::string(reason)), 1) << kind;
  }
}

TEST_F(deliveries, of_a_batch_only_what_can_be_read_is_given_back) {
  auto e = std::make_shared<endpoint>();
  int read = 0;
  const auto sum = [&](auto& batch) {
    for (const auto& n : batch) read += n.template payload<sized_payload>().size;
  };
  e->bind_batch(priority::info, [&](std::span<const notification> batch) { sum(batch); });
  e->bind_batch(priority::warn, [&](std::span<const notification> batch) -> asio::awaitable<void> {
    const std::vector<notification> copies(batch.begin(), batch.end());
    sum(copies);
    co_return;
  });
  e->bind_batch(priority::error, [&](std::span<const notification> batch, responder r) {
    sum(batch);
    r.answer();
  });
  const auto r = outcome::requeue, h = outcome::handled;
  auto d = make({e}, true);
  for (const char* p : {"INFO", "WARN", "ERROR"}) {
    EXPECT_EQ(d.dispatch(batch_of({body_of(p), body_of(p, "bad", too_big), body_of(p),
                                   body_of(p, "as bad", too_big), body_of(p)})),
              (std::vector<outcome>{r, h, r, h, r}))
        << p;
    EXPECT_EQ(d.dispatch(batch_of({body_of(p), body_of(p)})), (std::vector<outcome>{h, h})) << p;
    EXPECT_EQ(d.dispatch(batch_of({body_of(p, "bad", too_big)})), (std::vector<outcome>{h})) << p;
  }
  EXPECT_EQ(lines.count(log_level::error, dropped), 6);
  EXPECT_EQ(read, 3 * (3 + 6));
}

TEST_F(deliveries, what_one_endpoint_cannot_read_of_a_batch_goes_on_to_the_next) {
  auto e = std::make_shared<endpoint>();
  e->bind_batch(priority::info, [](std::span<const notification> batch) {
    for (const auto& n : batch) n.payload<sized_payload>();
  });
  auto next = std::make_shared<endpoint>();
  std::string seen;
  next->bind_batch(priority::info, [&](std::span<const notification> batch) {
    for (const auto& n : batch) seen += *n.event_type + ' ';
    return outcome::requeue;
  });
  const auto r = outcome::requeue;
  EXPECT_EQ(make({e, next}, true)
                .results(batch_of({body_of("INFO"), body_of("INFO", "bad", too_big)}))
                .at(0)
                .error,
            "payload.size: expected int, got string");
  EXPECT_EQ(seen, "bad ");
  EXPECT_EQ(
      make({e, next}, true).dispatch(batch_of({body_of("INFO"), body_of("INFO", "bad", too_big)})),
      (std::vector<outcome>{r, r}));
}

TEST_F(deliveries, what_cannot_be_read_elsewhere_is_an_exception_like_any_other) {
  auto e = std::make_shared<endpoint>();
  e->bind(priority::info, [] { from_json<int>("\"an answer of a peer\""); });
  e->bind(priority::warn, [](notification n) {
    n.payload_json = "1";
    n.payload<sized_payload>();
  });
  auto d = make({e});
  EXPECT_EQ(d.dispatch(body_of("INFO")), outcome::requeue);
  EXPECT_EQ(d.dispatch(body_of("WARN")), outcome::requeue);
}

}  // namespace
}  // namespace oslo::messaging::notify
