// A handle that was moved from says so, whatever is asked of it.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <functional>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/rpc.hpp>
#include <oslo/messaging/rpc/completion.hpp>
#include <string>
#include <vector>

namespace oslo::messaging {
namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

/// What `use` throws, or gives back as an error.
using use = std::function<failure()>;
struct row {
  const char* what;
  const char* member;
  use of_it;
};

template <class F>
use throwing(F f) {
  return [f] {
    try {
      f();
    } catch (const messaging_error& e) {
      return e.failure();
    }
    return failure();
  };
}

template <class T>
T run(asio::awaitable<T> work) {
  asio::io_context io;
  auto done = asio::co_spawn(io, std::move(work), asio::use_future);
  io.run();
  return done.get();
}

inline constexpr rpc::method<int()> count{"count"};

class moved_from : public ::testing::Test {
 protected:
  transport bus = open_transport("fake://");
  rpc::client client{bus, {.topic = "t"}};
  blocking::client waiting{client};
  notify::notifier notifier{bus, {.drivers = {{"messaging"}}}};
  blocking::notifier telling{notifier};
  rpc::server server{bus, {.topic = "t", .server = "s"}, {}};
  std::shared_ptr<notify::endpoint> handlers = [] {
    auto e = std::make_shared<notify::endpoint>();
    e->bind(notify::priority::info, [](const notify::notification&) {});
    return e;
  }();
  notify::listener listener{bus, {{.topic = "t"}}, {handlers}};

  const transport other_bus = bus;
  const rpc::client other_client = std::move(client);
  const blocking::client other_waiting = std::move(waiting);
  const notify::notifier other_notifier = std::move(notifier);
  const blocking::notifier other_telling = std::move(telling);
  const rpc::server other_server = std::move(server);
  const notify::listener other_listener = std::move(listener);
  const transport last_bus = std::move(bus);

  const std::vector<row> rows{
      {"transport", "close", throwing([this] { bus.close(); })},
      {"transport", "health", throwing([this] { bus.health(); })},
      {"transport", "watch_health", throwing([this] { (void)bus.watch_health({}); })},
      {"transport", "probe", throwing([this] { bus.probe(); })},
      {"transport", "async_probe", throwing([this] { bus.async_probe(1s, {}); })},
      {"transport", "driver", throwing([this] { bus.driver(); })},
      {"transport", "inherited", throwing([this] { bus.inherited(); })},
      {"transport", "loop", throwing([this] { bus.loop(); })},
      {"transport", "shared_loop", throwing([this] { bus.shared_loop(); })},
      {"transport", "log", throwing([this] { bus.log(); })},
      {"transport", "meter", throwing([this] { bus.meter(); })},
      {"transport", "shared_meter", throwing([this] { bus.shared_meter(); })},
      {"transport", "tracer", throwing([this] { bus.tracer(); })},
      {"transport", "conf", throwing([this] { bus.conf(); })},
      {"transport", "url", throwing([this] { bus.url(); })},
      {"transport", "defaults", throwing([this] { bus.defaults(); })},
      {"transport", "as a client's", throwing([this] { rpc::client(bus, {.topic = "t"}); })},
      {"transport", "as a notifier's", throwing([this] { notify::notifier{bus}; })},
      {"transport", "as a server's",
       throwing([this] { rpc::server(bus, {.topic = "t", .server = "s"}, {}); })},
      {"transport", "as a listener's",
       throwing([this] { notify::listener(bus, {{.topic = "t"}}, {handlers}); })},

      {"client", "prepare", throwing([this] { client.prepare({}); })},
      {"client", "can_send_version", throwing([this] { client.can_send_version(); })},
      {"client", "where", throwing([this] { client.where(); })},
      {"client", "options", throwing([this] { client.options(); })},
      {"client", "cast_timeout", throwing([this] { client.cast_timeout(); })},
      {"client", "bus", throwing([this] { client.bus(); })},
      {"client", "call", throwing([this] { run(client.call(count, {})); })},
      {"client", "try_call", [this] { return run(client.try_call(count, {})).error(); }},
      {"client", "cast", throwing([this] { run(client.cast(count, {})); })},
      {"client", "try_cast", [this] { return run(client.try_cast(count, {})).error(); }},
      {"client", "async_call",
       throwing([this] { rpc::async_call(client, count, {}, asio::use_future).get(); })},
      {"client", "async_try_call",
       [this] { return rpc::async_try_call(client, count, {}, asio::use_future).get().error(); }},
      {"client", "async_try_cast",
       [this] { return rpc::async_try_cast(client, count, {}, asio::use_future).get().error(); }},

      {"client", "blocking prepare", throwing([this] { waiting.prepare({}); })},
      {"client", "blocking call", throwing([this] { waiting.call(count, {}); })},
      {"client", "blocking try_call", [this] { return waiting.try_call(count, {}).error(); }},
      {"client", "blocking cast", throwing([this] { waiting.cast(count, {}); })},
      {"client", "blocking try_cast", [this] { return waiting.try_cast(count, {}).error(); }},

      {"notifier", "prepare", throwing([this] { notifier.prepare({}); })},
      {"notifier", "is_enabled", throwing([this] { notifier.is_enabled(); })},
      {"notifier", "publisher_id", throwing([this] { notifier.publisher_id(); })},
      {"notifier", "topics", throwing([this] { notifier.topics(); })},
      {"notifier", "drivers", throwing([this] { notifier.drivers(); })},
      {"notifier", "retry", throwing([this] { notifier.retry(); })},
      {"notifier", "timeout", throwing([this] { notifier.timeout(); })},
      {"notifier", "bus", throwing([this] { notifier.bus(); })},
      {"notifier", "info", [this] { return run(notifier.info({}, "e", 1)).error(); }},
      {"notifier", "post",
       [this] {
         failure why;
         notifier.post(notify::priority::info, {}, "e", 1,
                       [&why](result<void> r) { why = r.error(); });
         notifier.post(notify::priority::info, {}, "e", 1);
         return why;
       }},
      {"notifier", "as an outbox's", throwing([this] { notify::outbox{notifier}; })},
      {"notifier", "blocking prepare", throwing([this] { telling.prepare({}); })},
      {"notifier", "blocking is_enabled", throwing([this] { telling.is_enabled(); })},
      {"notifier", "blocking info", [this] { return telling.info({}, "e", 1).error(); }},

      {"server", "start", throwing([this] { server.start(); })},
      {"server", "async_start", throwing([this] { server.async_start({}); })},
      {"server", "stop", throwing([this] { server.stop(); })},
      {"server", "async_stop", throwing([this] { server.async_stop({}); })},
      {"server", "wait", throwing([this] { server.wait(); })},
      {"server", "async_wait", throwing([this] { server.async_wait({}); })},
      {"server", "drain", throwing([this] { server.drain(1s); })},
      {"server", "async_drain", throwing([this] { server.async_drain(1s, {}); })},
      {"server", "health", throwing([this] { server.health(); })},
      {"server", "watch_health", throwing([this] { (void)server.watch_health({}); })},
      {"server", "where", throwing([this] { server.where(); })},
      {"server", "running", throwing([this] { server.running(); })},

      {"listener", "start", throwing([this] { listener.start(); })},
      {"listener", "async_start", throwing([this] { listener.async_start({}); })},
      {"listener", "stop", throwing([this] { listener.stop(); })},
      {"listener", "async_stop", throwing([this] { listener.async_stop({}); })},
      {"listener", "wait", throwing([this] { listener.wait(); })},
      {"listener", "async_wait", throwing([this] { listener.async_wait({}); })},
      {"listener", "drain", throwing([this] { listener.drain(1s); })},
      {"listener", "async_drain", throwing([this] { listener.async_drain(1s, {}); })},
      {"listener", "health", throwing([this] { listener.health(); })},
      {"listener", "watch_health", throwing([this] { (void)listener.watch_health({}); })},
      {"listener", "running", throwing([this] { listener.running(); })},
  };
};

TEST_F(moved_from, handles_say_so) {
  for (const auto& r : rows) {
    const auto why = r.of_it();
    EXPECT_EQ(why.code(), errc::invalid_argument) << r.what << " " << r.member;
    EXPECT_EQ(why.message(), "A " + std::string(r.what) +
                                 " was used after it had been moved from: it can only be assigned "
                                 "to or destroyed.")
        << r.member;
  }
}

TEST_F(moved_from, handles_can_be_assigned_to) {
  client = other_client;
  EXPECT_EQ(client.where().topic, "t");
  notifier = other_notifier;
  EXPECT_TRUE(blocking::notifier(notifier).info({}, "e", 1));
  bus = last_bus;
  EXPECT_EQ(bus.url().transport, "fake");
  server = rpc::server(bus, {.topic = "t", .server = "again"}, {});
  server.start();
  EXPECT_EQ(server.where().server, "again");
}

TEST(moved_from_values, stay_what_they_were) {
  failure f(errc::rejected, "no");
  const failure g = std::move(f);
  EXPECT_EQ(f.code(), errc::rejected);
  EXPECT_EQ(f.message(), g.message());

  option_values o("DEFAULT", default_options(), {});
  const option_values p = std::move(o);
  EXPECT_EQ(o.string("control_exchange"), p.string("control_exchange"));

  notify::filter wanted(notify::filter_rules{.event_type = "a"});
  const notify::filter same = std::move(wanted);
  EXPECT_FALSE(wanted.takes_everything());
  EXPECT_FALSE(wanted.matches({.event_type = "b"}));
  EXPECT_TRUE(same.matches({.event_type = "a"}));
}

TEST(moved_from_responders, have_answered) {
  const auto bus = open_transport("fake://");
  auto methods = std::make_shared<rpc::endpoint>();
  methods->bind("count", [](rpc::responder<int> r) {
    rpc::responder<int> taken(std::move(r));
    EXPECT_FALSE(r.pending());
    EXPECT_THROW(r.reply(1), messaging_error);
    EXPECT_THROW(r.fail(std::runtime_error("no")), messaging_error);
    taken.reply(2);
  });
  rpc::server s(bus, {.topic = "t", .server = "s"}, {methods});
  s.start();
  const blocking::client c(bus, {.topic = "t"}, {.timeout = 20s});
  EXPECT_EQ(c.call(count, {}), 2);
}

}  // namespace
}  // namespace oslo::messaging
