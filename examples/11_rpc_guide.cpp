// The pieces of docs/rpc.md, as one program.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/describe/class.hpp>
#include <chrono>
#include <iostream>
#include <map>
#include <mutex>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "expect.hpp"

namespace om = oslo::messaging;
namespace asio = boost::asio;
using namespace std::chrono_literals;

// ---- the contract -------------------------------------------------------------------------------

struct add_args {
  int a = 0, b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))

struct resize_args {
  std::string flavor;
  std::optional<std::string> host;  // may be left out
};
BOOST_DESCRIBE_STRUCT(resize_args, (), (flavor, host))

constexpr om::rpc::method<int(add_args)> add{"add"};
constexpr om::rpc::method<std::string(resize_args)> resize{"resize", {1, 2}};  // since 1.2
constexpr om::rpc::method<void()> tick{"tick"};

// ---- exceptions both sides know -----------------------------------------------------------------

class flavor_not_found : public om::remote_error {
 public:
  using remote_error::remote_error;
};

struct over_quota : std::runtime_error {
  over_quota(const std::string& text, std::int64_t n) : std::runtime_error(text), limit(n) {}
  std::int64_t limit;
};

std::shared_ptr<const om::rpc::exception_table> known_exceptions() {
  auto table = std::make_shared<om::rpc::exception_table>();
  table->add<flavor_not_found>("nova.exception", "FlavorNotFound");
  table->add<over_quota>(
      "nova.exception", "OverQuota",
      [](const om::remote_error& e) {
        return over_quota(e.message(), e.kwargs().at("limit").as_int64());
      },
      [](const over_quota& e) {
        return om::rpc::exception_values{e.what(), {}, {{"limit", e.limit}}};
      });
  table->add_library_errors();  // NoSuchMethod as om::no_such_method, and so on
  return table;
}

// ---- an endpoint --------------------------------------------------------------------------------

class compute : public om::rpc::endpoint {
 public:
  compute() : endpoint({.namespace_ = "compute", .version = "1.3"}) {
    bind(add, &compute::on_add);
    bind(resize, &compute::on_resize).expect<om::rpc::remote_exception>();
    bind(tick, [] {}).expose();
    bind("later", &compute::on_later);
    bind("slowly", &compute::on_slowly);
    bind("quota", []() -> int { throw over_quota("too many cores", 20); });
  }

 private:
  // A plain function: runs on the server's executor, and may block it.
  int on_add(add_args x) { return x.a + x.b; }

  std::string on_resize(const om::context& ctxt, const resize_args& args) {
    if (args.flavor == "m1.huge")
      throw om::rpc::remote_exception("nova.exception", "FlavorNotFound", "m1.huge is unknown");
    const auto* user = ctxt.find("user");
    return args.flavor + " for " + (user ? std::string(user->as_string()) : "nobody");
  }

  // Answers after it has returned, from any thread.
  void on_later(om::rpc::responder<int> later) {
    std::jthread([later = std::move(later)]() mutable { later.reply(42); }).detach();
  }

  // A coroutine: takes no thread while it waits.
  asio::awaitable<int> on_slowly() {
    asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
    co_await timer.async_wait(asio::use_awaitable);
    co_return 7;
  }
};

// ---- clients ------------------------------------------------------------------------------------

asio::awaitable<void> coroutines(om::rpc::client client) {
  const om::context ctxt{{"user", "ada"}};
  const int sum = co_await client.call(add, ctxt, {.a = 1, .b = 2});
  expect(sum == 3, "1 + 2");

  // g++ 12 wants arguments with strings to have a name.
  const resize_args args{.flavor = "m1.small"};
  expect(co_await client.call(resize, ctxt, args) == "m1.small for ada", "resized");

  // Errors as values.
  const om::result<int> r =
      co_await client.prepare({.namespace_ = "other"}).try_call(add, ctxt, {});
  expect(r.has_error() && r.error().remote()->type == "UnsupportedVersion", "no such namespace");

  // No waiting for an answer; with fanout every server of the topic gets it.
  co_await client.prepare({.fanout = true}).cast(tick, ctxt);
}

void clients(const om::transport& bus) {
  const om::rpc::client client{
      bus,
      {.topic = "compute", .namespace_ = "compute", .version = "1.0"},
      {.timeout = 5s, .version_cap = "1.3", .exceptions = known_exceptions()}};

  asio::io_context io;
  auto done = asio::co_spawn(io, coroutines(client), asio::use_future);
  io.run();
  done.get();

  // Any completion token.
  std::future<int> sum = om::rpc::async_call(client, add, {}, {.a = 2, .b = 3}, asio::use_future);
  expect(sum.get() == 5, "2 + 3");
  std::promise<int> answer;
  om::rpc::async_try_call(client, add, {}, {.a = 4, .b = 5}, [&](om::result<int> r) {
    answer.set_value(r ? *r : -1);  // on the transport's loop: do not block here
  });
  expect(answer.get_future().get() == 9, "4 + 5");

  // Threads.
  const om::blocking::client blocking{client};
  expect(blocking.call(add, {}, {.a = 1, .b = 1}) == 2, "1 + 1");
  expect(blocking.call("later", {}) == 42, "answered later");
  expect(blocking.call("slowly", {}) == 7, "answered by a coroutine");

  // Overrides: not given keeps, nullopt clears, a value replaces.
  const auto one_host = blocking.prepare({.server = "host1", .timeout = 1s});
  expect(one_host.call(add, {}, {.a = 1}) == 1, "at one server");
  const auto no_cap = blocking.prepare({.version_cap = std::nullopt});
  expect(no_cap.async().can_send_version("9.9"), "without a cap everything may be sent");
  expect(!blocking.async().can_send_version("2.0"), "but not above a cap");

  // Errors.
  try {
    blocking.call(resize, {}, {.flavor = "m1.huge"});
    expect(false, "there is no such flavor");
  } catch (const flavor_not_found& e) {
    expect(e.message() == "m1.huge is unknown", "the peer's words");
  }
  try {
    blocking.call("quota", {});
    expect(false, "the quota is used up");
  } catch (const over_quota& e) {
    expect(e.limit == 20, "arguments travel");
  }

  // Giving up.
  std::stop_source stop;
  std::jthread impatient([&] { stop.request_stop(); });
  const auto r =
      blocking.prepare({.topic = "nobody"}).try_call("x", {}, om::object(), stop.get_token());
  expect(r.has_error() && r.error().code() == om::errc::cancelled, "the caller gave up");
}

// ---- measurements -------------------------------------------------------------------------------

class counters final : public om::metrics {
 public:
  void add(std::string_view name, om::metric_labels, std::int64_t delta) override {
    const std::lock_guard lock(mutex_);
    values_[std::string(name)] += delta;
  }
  void set(std::string_view, om::metric_labels, double) override {}
  void observe(std::string_view, om::metric_labels, double) override {}

  std::int64_t of(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return values_[name];
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::int64_t> values_;
};

// ---- a serializer -------------------------------------------------------------------------------

/// Marks every argument and result; a real one would encode objects of the application.
class tagging final : public om::serializer {
 public:
  om::value serialize_entity(const om::context&, om::value v) const override {
    return om::value{{"tagged", std::move(v)}};
  }
  om::value deserialize_entity(const om::context&, om::value v) const override {
    return v.is_object() ? v.as_object().at("tagged") : v;
  }
};

void serializers(const om::transport& bus) {
  const auto both = std::make_shared<tagging>();
  om::rpc::server server{bus,
                         {.topic = "tagged", .server = "host1"},
                         {std::make_shared<compute>()},
                         {.serializer = both}};
  server.start();
  const om::blocking::client client{
      bus, {.topic = "tagged", .namespace_ = "compute"}, {.timeout = 5s, .serializer = both}};
  expect(client.call(add, {}, {.a = 1, .b = 2}) == 3, "through a serializer");
}

int main() {
  const auto measured = std::make_shared<counters>();
  const om::transport bus = om::open_transport(
      "fake://", {.log = om::stderr_logger(om::log_level::off),
                  .meter = measured,
                  .tracer = om::log_tracer(om::stderr_logger(om::log_level::info), "compute")});

  om::rpc::server server{bus,
                         {.topic = "compute", .server = "host1"},
                         {std::make_shared<compute>()},
                         {.executor = om::thread_pool(8),
                          .access_policy = om::rpc::default_access_policy(),
                          .exceptions = known_exceptions(),
                          .traceback = om::rpc::tracebacks::full,
                          .ping = true}};
  server.start();
  clients(bus);
  serializers(bus);

  server.stop();                                    // takes nothing more
  server.wait({.timeout = 60s, .log_after = 10s});  // what it took is answered

  expect(measured->of("rpc_client_exception_total") >= 3, "failed calls were counted");
  std::cout << "all as it should be\n";
}
