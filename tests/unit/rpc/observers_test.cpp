// What calls and requests measure and trace, over fake://.
#include <gtest/gtest.h>

#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/rpc.hpp>

#include "support/log_lines.hpp"
#include "support/recording_driver.hpp"
#include "support/recording_metrics.hpp"

namespace oslo::messaging::rpc {
namespace {

using namespace std::chrono_literals;
using lines = std::vector<std::string>;

std::shared_ptr<endpoint> standard() {
  auto e = std::make_shared<endpoint>(target{.namespace_ = "n", .version = "1.3"});
  e->bind("add", [](const value& v) { return v.at("a").as_int64() + 1; });
  e->bind("boom", []() -> int { throw std::out_of_range("gone"); });
  e->bind("context", [](const context& c) { return value(c.entries()); });
  return e;
}

class measured : public ::testing::Test {
 protected:
  std::shared_ptr<testing::recording_metrics> calls =
      std::make_shared<testing::recording_metrics>();
  std::shared_ptr<testing::recording_metrics> requests =
      std::make_shared<testing::recording_metrics>();
  transport client_bus = open_transport("fake://", {.meter = calls});
  transport server_bus = open_transport("fake://", {.meter = requests});
  server s{server_bus, {.topic = "t", .server = "s1"}, {standard()}};
  blocking::client c{client_bus,
                     {.exchange = "x", .topic = "t", .namespace_ = "n", .version = "1.1"},
                     {.timeout = 20s}};
  void SetUp() override { s.start(); }
};

TEST_F(measured, a_call_has_every_label_that_applies) {
  const auto r = std::make_shared<testing::recorder>();
  const auto bus = testing::open_recording(r, {.meter = calls});
  blocking::client full{
      bus,
      {.exchange = "x", .topic = "t", .namespace_ = "n", .version = "1.1", .server = "s"},
      {.timeout = 2500ms}};
  full.call("add", {}, value{{"a", 1}});
  const std::string labels =
      " call_type=call exchange=x topic=t namespace=n version=1.1 server=s method=add timeout=2.5";
  EXPECT_EQ(calls->lines(), (lines{"rpc_client_invocation_start_total +1" + labels,
                                   "rpc_client_processing_seconds observed" + labels,
                                   "rpc_client_invocation_end_total +1" + labels}));
  blocking::client few{bus, {.topic = "t", .fanout = true}};
  few.cast("note", {});
  const auto all = calls->lines();
  ASSERT_EQ(all.size(), 6u);
  EXPECT_EQ(all[3],
            "rpc_client_invocation_start_total +1 call_type=cast topic=t fanout=true method=note");
}

TEST_F(measured, a_failed_call_names_its_exception_and_has_no_end) {
  const auto r = std::make_shared<testing::recorder>();
  const auto bus = testing::open_recording(r, {.meter = calls});
  blocking::client t{bus, {.topic = "t"}, {.timeout = 1s}};
  r->answer(failure(errc::timed_out, "late"));
  EXPECT_THROW(t.call("add", {}), messaging_timeout);
  remote_failure f;
  f.type = "ValueError";
  r->answer(failure(f));
  EXPECT_THROW(t.call("add", {}), remote_error);
  const std::string labels = " call_type=call topic=t method=add timeout=1";
  EXPECT_EQ(calls->lines(),
            (lines{"rpc_client_invocation_start_total +1" + labels,
                   "rpc_client_exception_total +1" + labels + " exception=MessagingTimeout",
                   "rpc_client_invocation_start_total +1" + labels,
                   "rpc_client_exception_total +1" + labels + " exception=ValueError"}));
  // What is refused before it is sent is no invocation.
  EXPECT_THROW(t.prepare({.fanout = true}).call("add", {}), invalid_target);
  EXPECT_EQ(calls->lines().size(), 4u);
}

TEST_F(measured, requests_are_counted_and_only_known_methods_become_labels) {
  const auto known = c.prepare({.exchange = std::nullopt});
  EXPECT_EQ(known.call("add", {}, value{{"a", 1}}), 2);
  EXPECT_THROW(known.call("boom", {}), remote_error);
  EXPECT_THROW(known.call("anything a peer likes", {}), remote_error);
  const std::string where = " topic=t server=s1", method = " namespace=n method=";
  EXPECT_EQ(requests->lines(),
            (lines{"rpc_server_invocation_start_total +1" + where + method + "add",
                   "rpc_server_processing_seconds observed" + where + method + "add",
                   "rpc_server_invocation_end_total +1" + where + method + "add",
                   "rpc_server_invocation_start_total +1" + where + method + "boom",
                   "rpc_server_exception_total +1" + where + method + "boom exception=IndexError",
                   "rpc_server_invocation_start_total +1" + where,
                   "rpc_server_exception_total +1" + where + " exception=NoSuchMethod"}));
}

// ---- spans --------------------------------------------------------------------------------------

class traced : public ::testing::Test {
 protected:
  testing::log_lines log;
  transport bus =
      open_transport("fake://", {.tracer = log_tracer(log.into(log_level::info), "nova")});
  blocking::client c{bus, {.topic = "t", .namespace_ = "n"}, {.timeout = 20s}};

  /// The spans that have ended, in this order.
  std::vector<object> spans() {
    std::vector<object> out;
    for (const auto& line : log.with("span {"))
      out.push_back(parse_json(line.substr(5)).as_object());
    return out;
  }
};

TEST_F(traced, a_call_and_its_request_are_two_spans_of_one_trace) {
  server s(bus, {.topic = "t", .server = "s1"}, {standard()});
  s.start();
  const auto seen = c.call("context", {{"request_id", "req-1"}, {"baggage", "k=v"}}).as_object();
  const auto all = spans();
  ASSERT_EQ(all.size(), 2u);
  const auto& request = all[0];
  const auto& call = all[1];
  EXPECT_EQ(call.at("name"), "t.context");
  EXPECT_EQ(call.at("kind"), "producer");
  EXPECT_EQ(call.at("parent_id"), nullptr);
  EXPECT_EQ(call.at("service"), "nova");
  EXPECT_EQ(call.at("error"), nullptr);
  EXPECT_EQ(call.at("attributes"), (value{{"messaging.system", "fake"},
                                          {"messaging.operation", "call"},
                                          {"messaging.destination.name", "t"},
                                          {"rpc.method", "context"},
                                          {"rpc.service", "n"},
                                          {"openstack.request_id", "req-1"}}));
  EXPECT_EQ(request.at("name"), "context receive");
  EXPECT_EQ(request.at("kind"), "consumer");
  EXPECT_EQ(request.at("trace_id"), call.at("trace_id"));
  EXPECT_EQ(request.at("parent_id"), call.at("span_id"));
  const auto& facts = request.at("attributes").as_object();
  EXPECT_EQ(facts.at("messaging.operation"), "receive");
  EXPECT_EQ(facts.at("rpc.method"), "context");
  EXPECT_FALSE(facts.at("messaging.message.id").as_string().empty());
  EXPECT_EQ(facts.at("openstack.request_id"), "req-1");
  // The handler's context leads to its own span, and keeps the rest.
  EXPECT_EQ(seen.at("traceparent"),
            value("00-" + std::string(call.at("trace_id").as_string()) + "-" +
                  std::string(request.at("span_id").as_string()) + "-03"));
  EXPECT_EQ(seen.at("baggage"), "k=v");
}

TEST(tracing, names_the_system_as_the_driver_does_or_by_the_scheme) {
  const auto system_of_a_cast = [](std::string name) {
    testing::log_lines log;
    const auto sent = std::make_shared<testing::recorder>();
    sent->system = std::move(name);
    const auto bus =
        testing::open_recording(sent, {.tracer = log_tracer(log.into(log_level::info), "nova")});
    blocking::client(bus, {.topic = "t"}, {.timeout = 20s}).cast("m", {});
    const auto lines = log.with("span {");
    return parse_json(lines.at(0).substr(5)).at("attributes").at("messaging.system");
  };
  EXPECT_EQ(system_of_a_cast("kafka"), "kafka");
  EXPECT_EQ(system_of_a_cast(""), "recording");
}

TEST_F(traced, a_handler_that_passes_its_context_on_continues_the_trace) {
  const auto inner = std::make_shared<endpoint>(target{.namespace_ = "n"});
  inner->bind("inner", [] {});
  server second(bus, {.topic = "u", .server = "s1"}, {inner});
  second.start();
  const auto outer = std::make_shared<endpoint>(target{.namespace_ = "n"});
  const auto next = c.prepare({.topic = "u"});
  outer->bind("outer", [next](const context& ctxt) { next.call("inner", ctxt); });
  server first(bus, {.topic = "t", .server = "s1"}, {outer});
  first.start();
  c.call("outer", {});
  auto all = spans();
  ASSERT_EQ(all.size(), 4u);
  std::map<std::string, object> by_name;
  for (auto& s : all) by_name[std::string(s.at("name").as_string())] = s;
  const char* const chain[] = {"t.outer", "outer receive", "u.inner", "inner receive"};
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(by_name[chain[i]].at("parent_id"), by_name[chain[i - 1]].at("span_id")) << chain[i];
    EXPECT_EQ(by_name[chain[i]].at("trace_id"), by_name[chain[0]].at("trace_id"));
  }
}

TEST_F(traced, failures_mark_both_spans) {
  server s(bus, {.topic = "t", .server = "s1"}, {standard()});
  s.start();
  EXPECT_THROW(c.call("boom", {}), remote_error);
  const auto all = spans();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].at("error"), "IndexError: gone");
  EXPECT_EQ(all[1].at("error"), "Remote error: IndexError gone\nIndexError: gone\n");
}

class broken_tracer final : public tracer {
  std::unique_ptr<trace_span> start(span_kind, std::string_view, std::span<const span_attribute>,
                                    const context&) override {
    throw std::runtime_error("no exporter");
  }
};

TEST(tracing, that_does_not_work_costs_the_span_and_not_the_message) {
  testing::log_lines log;
  const auto bus =
      open_transport("fake://", {.log = log.into(), .tracer = std::make_shared<broken_tracer>()});
  server s(bus, {.topic = "t", .server = "s1"}, {standard()});
  s.start();
  blocking::client c{bus, {.topic = "t", .namespace_ = "n"}, {.timeout = 20s}};
  EXPECT_EQ(c.call("add", {}, value{{"a", 1}}), 2);
  EXPECT_EQ(log.with("Failed to set up tracing"),
            (lines{"Failed to set up tracing for send, skipping: no exporter",
                   "Failed to set up tracing for receive, skipping: no exporter"}));
}

struct broken_metrics final : metrics {
  void add(std::string_view, metric_labels, std::int64_t) override { throw 1; }
  void set(std::string_view, metric_labels, double) override { throw 1; }
  void observe(std::string_view, metric_labels, double) override { throw 1; }
};

TEST(measuring, that_does_not_work_costs_neither_call_nor_answer) {
  testing::log_lines log;
  const auto bus =
      open_transport("fake://", {.log = log.into(), .meter = std::make_shared<broken_metrics>()});
  server s(bus, {.topic = "t", .server = "s1"}, {standard()});
  s.start();
  const blocking::client c{bus, {.topic = "t", .namespace_ = "n"}, {.timeout = 20s}};
  EXPECT_EQ(c.call("add", {}, value{{"a", 1}}), 2);
  EXPECT_THROW(c.call("boom", {}), remote_error);
  EXPECT_EQ(log.with("The metrics of the application have thrown").size(), 1u);
}

/// Makes spans of which nothing works.
struct broken_spans final : tracer {
  struct span final : trace_span {
    void inject(context&) const override { throw std::runtime_error("no header"); }
    void fail(std::string_view) override { throw std::runtime_error("no status"); }
  };
  std::unique_ptr<trace_span> start(span_kind, std::string_view, std::span<const span_attribute>,
                                    const context&) override {
    return std::make_unique<span>();
  }
};

TEST(tracing, by_spans_that_do_not_work_costs_neither_call_nor_answer) {
  testing::log_lines log;
  const auto bus =
      open_transport("fake://", {.log = log.into(), .tracer = std::make_shared<broken_spans>()});
  server s(bus, {.topic = "t", .server = "s1"}, {standard()});
  s.start();
  const blocking::client c{bus, {.topic = "t", .namespace_ = "n"}, {.timeout = 20s}};
  EXPECT_EQ(c.call("add", {}, value{{"a", 1}}), 2);
  EXPECT_THROW(c.call("boom", {}), remote_error);
  EXPECT_EQ(log.with("A span was not put into the context: no header").size(), 4u);
  EXPECT_EQ(log.with("A span was not marked as failed: no status").size(), 2u);
}

TEST(tracing, is_an_option_of_the_config) {
  testing::log_lines log;
  const auto bus = open_transport(
      "fake://", {.conf = config::parse("[oslo_messaging_tracing]\ntracing_enabled = true\n"
                                        "tracing_service_name = cinder\n"),
                  .log = log.into()});
  blocking::client c{bus, {.topic = "t"}, {.timeout = 20s}};
  c.cast("note", {});
  const auto found = log.with("span {");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].find(R"("service": "cinder")"), std::string::npos);
  EXPECT_EQ(open_transport("fake://").tracer(), nullptr);
}

}  // namespace
}  // namespace oslo::messaging::rpc
