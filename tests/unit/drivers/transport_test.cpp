#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <future>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/notify/options.hpp>
#include <oslo/messaging/transport.hpp>

#include "support/log_lines.hpp"
#include "support/recording_driver.hpp"

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;
using testing::open_recording;
using testing::recorder;
constexpr auto patience = 20s;

TEST(transport, the_url_comes_from_the_config_when_none_is_given) {
  const auto conf = config::parse("[DEFAULT]\ntransport_url = fake://\n");
  EXPECT_EQ(open_transport({}, {.conf = conf}).url().transport, "fake");
}

/// As deployment tools write one of several hosts.
TEST(transport, its_url_may_go_on_over_several_lines_of_a_file) {
  const auto conf = config::parse(
      "[DEFAULT]\ntransport_url = fake://u:p@h1:5671,\n  u:p@h2:5671\n  //v\n"
      "[oslo_messaging_notifications]\ntransport_url = fake://h3,\n\th4/n\n");
  const auto url = open_transport({}, {.conf = conf}).url();
  ASSERT_EQ(url.hosts.size(), 2u);
  EXPECT_EQ(url.hosts[1].hostname, "h2");
  EXPECT_EQ(url.virtual_host, "/v");
  EXPECT_EQ(redacted(notify::open_transport({}, {.conf = conf}).url()), "fake://h3,h4/n");
}

TEST(transport, an_unknown_scheme_names_the_known_ones) {
  try {
    open_transport("carrier-pigeon://");
    FAIL();
  } catch (const driver_load_failure& e) {
    EXPECT_NE(std::string(e.what()).find("carrier-pigeon"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("fake"), std::string::npos);
  }
}

TEST(transport, options_that_have_no_effect_are_one_warning_a_group) {
  testing::log_lines log;
  const auto conf = config::parse(
      "[oslo_messaging_metrics]\nmetrics_buffer_size = 7\nmetrics_thread_stop_timeout = 3\n"
      "[oslo_messaging_tracing]\notlp_protocol = grpc\n",
      "f.conf");
  open_transport("fake://", {.conf = conf, .log = log.into()});
  EXPECT_THAT(log.with("no effect"),
              ::testing::UnorderedElementsAre(
                  "Options of [oslo_messaging_metrics] that have no effect here: "
                  "metrics_thread_stop_timeout (f.conf:3).",
                  "Options of [oslo_messaging_tracing] that have no effect here: otlp_protocol "
                  "(f.conf:5)."));
}

TEST(transport, a_former_name_of_an_option_is_one_line) {
  testing::log_lines log;
  const auto conf = config::parse("[DEFAULT]\nrpc_thread_pool_size = 5\n", "f.conf");
  open_transport("fake://", {.conf = conf, .log = log.into()});
  EXPECT_THAT(log.with("Deprecated"),
              ::testing::ElementsAre("Deprecated: Option \"rpc_thread_pool_size\" of group "
                                     "[DEFAULT] (f.conf:2) is \"executor_thread_pool_size\" of "
                                     "group [DEFAULT] now."));
}

TEST(transport, what_is_wrong_with_the_options_of_rabbit_is_said_when_it_is_opened) {
  testing::log_lines log;
  const auto conf = config::parse(
      "[oslo_messaging_rabbit]\nssl = true\ncpp_insecure_accept_any_certificate = true\n"
      "heartbeat_rate = 5\n",
      "f.conf");
  const auto bus = open_transport("rabbit://127.0.0.1:1/", {.conf = conf, .log = log.into()});
  EXPECT_EQ(log.count(log_level::warning, "certificates of brokers are not checked"), 1);
  EXPECT_EQ(log.count(log_level::warning, "no effect here: heartbeat_rate (f.conf:4)."), 1);
  EXPECT_THROW(open_transport("rabbit://127.0.0.1:1/?rabbit_stream_fanout=true"),
               configuration_error);
}

TEST(transport, its_driver_names_the_system_by_whatever_name_it_was_opened) {
  for (const char* url : {"rabbit://127.0.0.1:1/", "kombu://127.0.0.1:1/"})
    EXPECT_EQ(open_transport(url).driver().system(), "rabbitmq");
  EXPECT_EQ(open_transport("fake://").driver().system(), "") << "the scheme says it";
}

TEST(transport, a_bad_url_is_an_error_of_its_own) {
  EXPECT_THROW(open_transport("fake"), invalid_transport_url);
}

TEST(transport, copies_share_one_bus_and_the_last_one_closes_it) {
  auto bus = open_transport("fake://");
  auto copy = bus;
  EXPECT_EQ(&bus.driver(), &copy.driver());
  std::promise<result<reply>> ended;
  target to;
  to.topic = "nobody";
  bus.driver().send(to, {"{}", {}}, {.wait_for_reply = true},
                    [&](result<reply> r) { ended.set_value(std::move(r)); });
  {
    auto last = std::move(bus);
    auto gone = std::move(copy);
  }
  const auto r = ended.get_future().get();
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().code(), errc::closed);
}

TEST(transport, its_own_loop_may_drop_the_last_copy) {
  std::promise<void> dropped;
  auto bus = std::make_shared<transport>(open_transport("fake://"));
  auto loop = bus->shared_loop();
  loop->post([bus = std::move(bus), &dropped]() mutable {
    bus.reset();
    dropped.set_value();
  });
  loop.reset();
  ASSERT_EQ(dropped.get_future().wait_for(patience), std::future_status::ready);
}

TEST(transport, writes_warnings_and_errors_to_standard_error_by_default) {
  ::testing::internal::CaptureStderr();
  {
    const auto bus = open_transport("fake://");
    bus.log()(log_level::info, "too much");
    bus.log()(log_level::warning, "look here");
    const auto silent = open_transport("fake://", {.log = logger{}});
    silent.log()(log_level::error, "unheard");
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::MatchesRegex(".*Z WARNING look here\n"));
}

TEST(transport, close_on_its_own_loop_does_not_wait) {
  auto bus = open_transport("fake://");
  std::promise<void> returned;
  bus.loop().post([&] {
    bus.close();
    returned.set_value();
  });
  ASSERT_EQ(returned.get_future().wait_for(patience), std::future_status::ready);
}

TEST(transport, runs_on_a_loop_of_the_application) {
  boost::asio::io_context io;
  int completed = 0;
  {
    const auto bus =
        open_recording(std::make_shared<recorder>(), {.loop = asio_scheduler(io.get_executor())});
    target to;
    to.topic = "t";
    bus.driver().send(to, {"{}", {}}, {}, [&](result<reply>) { ++completed; });
    EXPECT_EQ(completed, 0);
    io.run();
    EXPECT_EQ(completed, 1);
    // The io_context does not run any more, and dropping the transport does not wait for it.
  }
}

TEST(transport, tells_its_health_and_its_end) {
  auto bus = open_transport("fake://");
  EXPECT_EQ(bus.health().publishing, link_state::connected);
  EXPECT_TRUE(bus.health().ok());
  EXPECT_GE(bus.probe(std::chrono::seconds(20)).count(), 0);
  std::vector<link_state> told;
  std::promise<void> first, second;
  const auto watching = bus.watch_health([&](const transport_health& h) {
    told.push_back(h.consuming);
    (told.size() == 1 ? first : second).set_value();
  });
  EXPECT_TRUE(watching);
  first.get_future().get();  // what it is now, without a change
  bus.close();
  second.get_future().get();
  EXPECT_EQ(told, (std::vector{link_state::connected, link_state::closed}));
  EXPECT_FALSE(bus.health().ok());
  EXPECT_THROW(bus.probe(std::chrono::seconds(20)), messaging_error);
}

TEST(transport, a_watcher_that_is_gone_hears_nothing) {
  auto bus = open_transport("fake://");
  bool told = false;
  std::promise<void> go;
  bus.loop().post([&] { go.get_future().get(); });  // nothing is told before the watch has ended
  bus.watch_health([&](const transport_health&) { told = true; }).reset();
  go.set_value();
  bus.close();
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace oslo::messaging
