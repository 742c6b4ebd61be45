#include "core/trace_parent.hpp"

#include <gtest/gtest.h>

#include <oslo/messaging/json.hpp>
#include <oslo/messaging/tracing.hpp>

#include "support/log_lines.hpp"

namespace oslo::messaging {
namespace {

const std::string example = "00-49e6491a8fc253e5be4ff06674243a8e-65eacff5ff2828d0-03";

TEST(trace_parent, reads_what_the_standard_allows) {
  const auto p = trace_parent::parse(example);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->trace_id(), "49e6491a8fc253e5be4ff06674243a8e");
  EXPECT_EQ(p->span_id(), "65eacff5ff2828d0");
  EXPECT_EQ(p->flags, trace_parent::sampled | trace_parent::random_id);
  EXPECT_EQ(p->text(), example);
  // A later version may say more.
  EXPECT_TRUE(trace_parent::parse("01" + example.substr(2) + "-more"));
}

TEST(trace_parent, refuses_everything_else) {
  std::string zero_trace = example, zero_span = example;
  zero_trace.replace(3, 32, 32, '0');
  zero_span.replace(36, 16, 16, '0');
  for (const std::string& text :
       {std::string(), std::string("00"), example.substr(0, 54), example + "-more", example + "0",
        "ff" + example.substr(2), "00_" + example.substr(3), zero_trace, zero_span,
        "00-49E6491a8fc253e5be4ff06674243a8e-65eacff5ff2828d0-03" + std::string(),
        "01" + example.substr(2) + "more", std::string(55, '-')})
    EXPECT_FALSE(trace_parent::parse(text)) << text;
}

object span_under(const context& parent, context& sent) {
  testing::log_lines log;
  log_tracer(log.into(log_level::info))->start(span_kind::consumer, "x", {}, parent)->inject(sent);
  const auto found = log.with("span {");
  return found.empty() ? object() : parse_json(found[0].substr(5)).as_object();
}

TEST(log_tracer, continues_the_trace_of_its_parent) {
  context sent;
  const auto span =
      span_under({{"traceparent", example}, {"tracestate", "v=1"}, {"baggage", "k=v"}}, sent);
  EXPECT_EQ(span.at("trace_id"), "49e6491a8fc253e5be4ff06674243a8e");
  EXPECT_EQ(span.at("parent_id"), "65eacff5ff2828d0");
  EXPECT_EQ(sent, (context{{"traceparent", "00-49e6491a8fc253e5be4ff06674243a8e-" +
                                               std::string(span.at("span_id").as_string()) + "-03"},
                           {"tracestate", "v=1"},
                           {"baggage", "k=v"}}));
}

TEST(log_tracer, begins_a_trace_where_there_is_none_or_a_broken_one) {
  for (const context& parent :
       {context{}, context{{"traceparent", 7}}, context{{"traceparent", "x"}},
        context{{"traceparent", "x"}, {"tracestate", "v=1"}}}) {
    context sent;
    const auto span = span_under(parent, sent);
    EXPECT_EQ(span.at("parent_id"), nullptr);
    const auto p = trace_parent::parse(std::string(sent.find("traceparent")->as_string()));
    ASSERT_TRUE(p);
    EXPECT_EQ(p->flags, 3);
    EXPECT_EQ(sent.find("tracestate"), nullptr);  // it belongs to a trace that is not continued
  }
}

TEST(log_tracer, does_not_write_what_is_not_sampled) {
  context sent;
  const auto span = span_under({{"traceparent", example.substr(0, 53) + "00"}}, sent);
  EXPECT_TRUE(span.empty());
  const auto p = trace_parent::parse(std::string(sent.find("traceparent")->as_string()));
  ASSERT_TRUE(p);
  EXPECT_EQ(p->flags, 0);
  EXPECT_EQ(p->trace_id(), "49e6491a8fc253e5be4ff06674243a8e");
  EXPECT_NE(p->span_id(), "65eacff5ff2828d0");
}

}  // namespace
}  // namespace oslo::messaging
