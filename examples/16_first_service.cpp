// The pieces of docs/first-service.md, as one program: `first_service FILE` serves until SIGTERM;
// without a file it does so within this process, asks itself, and ends itself.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/describe/class.hpp>
#include <chrono>
#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <thread>
#include <vector>

#include "expect.hpp"

namespace om = oslo::messaging;
namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr const char* own_file = R"(
[DEFAULT]
transport_url = fake://

[oslo_messaging_notifications]
driver = messagingv2
topics = store-events

[store]
max_count = 10
answer_after_ms = 5
log_level = INFO
)";

// ---- the contract: what client and server include -----------------------------------------------

struct line {
  std::string sku;
  int count = 1;
};
BOOST_DESCRIBE_STRUCT(line, (), (sku, count))

struct order {
  std::string customer;
  std::vector<line> lines;
  std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(order, (), (customer, lines, note))

struct reservation {
  std::string id;
  std::vector<line> reserved, missing;
};
BOOST_DESCRIBE_STRUCT(reservation, (), (id, reserved, missing))

constexpr om::rpc::method<reservation(order)> reserve{"reserve"};

// ---- settings -----------------------------------------------------------------------------------

/// What group [store] of the configuration file says.
struct settings {
  explicit settings(const om::config& conf) {
    const std::array options{om::option{.name = "max_count",
                                        .type = om::option_type::integer,
                                        .default_value = "100",
                                        .help = "Items of one kind that an order gets at most.",
                                        .min = 1},
                             om::option{.name = "answer_after_ms",
                                        .type = om::option_type::integer,
                                        .default_value = "0",
                                        .help = "How long the warehouse takes.",
                                        .min = 0,
                                        .max = 60'000},
                             om::option{.name = "log_level",
                                        .default_value = "WARNING",
                                        .help = "What the service and the library say.",
                                        .choices = {"DEBUG", "INFO", "WARNING", "ERROR"}}};
    const om::option_values values{"store", options, conf};
    max_count = values.integer("max_count");
    answer_after = std::chrono::milliseconds{values.integer("answer_after_ms")};
    for (const auto level : {om::log_level::debug, om::log_level::info, om::log_level::error})
      if (om::to_string(level) == values.string("log_level")) least = level;
  }

  std::int64_t max_count;
  std::chrono::milliseconds answer_after;
  om::log_level least = om::log_level::warning;
};

// ---- the endpoint -------------------------------------------------------------------------------

class store : public om::rpc::endpoint {
 public:
  store(const settings& s, om::notify::notifier notifier, om::logger log)
      : endpoint({.namespace_ = "store", .version = "1.0"}),
        settings_(s),
        notifier_(std::move(notifier)),
        log_(std::move(log)) {
    bind(reserve, &store::on_reserve).require("customer", "lines");
  }

 private:
  // `ctxt` and `wanted` are the server's, and stay valid until the coroutine has ended.
  asio::awaitable<reservation> on_reserve(const om::context& ctxt, const order& wanted) {
    asio::steady_timer warehouse(co_await asio::this_coro::executor, settings_.answer_after);
    co_await warehouse.async_wait(asio::use_awaitable);

    reservation made;
    made.id = "r-" + std::to_string(++last_id_);  // atomic: several orders may be here at once
    for (const line& l : wanted.lines)
      (l.count <= settings_.max_count ? made.reserved : made.missing).push_back(l);

    const om::result<void> told = co_await notifier_.info(ctxt, "store.reserved", made);
    if (!told) log_(om::log_level::warning, made.id + " was not told: " + told.error().message());
    log_(om::log_level::info, made.id + " is for " + wanted.customer);
    co_return made;
  }

  const settings settings_;
  const om::notify::notifier notifier_;
  const om::logger log_;
  std::atomic<int> last_id_{0};
};

// ---- the end ------------------------------------------------------------------------------------

/// SIGTERM and SIGINT, held back for this thread and all that are started later.
class end_signals {
 public:
  end_signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  void wait() const {
    int number = 0;
    sigwait(&set_, &number);
  }

 private:
  sigset_t set_{};
};

// ---- a customer ---------------------------------------------------------------------------------

void try_it(const om::transport& bus) {
  std::promise<reservation> told;
  auto events = std::make_shared<om::notify::endpoint>();
  events->bind(om::notify::priority::info, [&](const reservation& r) { told.set_value(r); });
  om::notify::listener listener{bus, {{.topic = "store-events"}}, {events}};
  listener.start();

  const om::blocking::client client{
      bus, {.topic = "store", .namespace_ = "store", .version = "1.0"}, {.timeout = 5s}};
  const om::context ctxt{{"user", "ada"}};
  const reservation made = client.call(
      reserve, ctxt, {.customer = "ada", .lines = {{"bolt", 4}, {"anvil", 11}}, .note = {}});
  expect(made.reserved.size() == 1 && made.reserved[0].sku == "bolt", "four bolts");
  expect(made.missing.size() == 1 && made.missing[0].sku == "anvil", "too many anvils");
  expect(told.get_future().get().id == made.id, "a notification says so");

  try {
    client.call("reserve", ctxt, {{"customer", "ada"}});
    expect(false, "an order has lines");
  } catch (const om::remote_error& e) {
    std::cout << e.type() << ": " << e.message() << '\n';
  }
}

int main(int argc, char** argv) {
  try {
    const end_signals ends;  // before any thread starts
    const om::config conf =
        argc > 1 ? om::config::load(argv[1]) : om::config::parse(own_file, "own_file");
    const settings mine{conf};
    const om::logger log = om::stderr_logger(mine.least);

    const om::transport bus = om::open_transport("", {.conf = conf, .log = log});
    const om::notify::notifier notifier{bus, {.publisher_id = "store.host1"}};
    om::rpc::server server{bus,
                           {.topic = "store", .server = "host1"},
                           {std::make_shared<store>(mine, notifier, log)},
                           {.ping = true}};
    server.start();  // waits for the broker, however long it takes
    std::cout << "ready" << std::endl;

    std::jthread customer;
    if (argc == 1)
      customer = std::jthread([&] {
        try_it(bus);
        ::kill(::getpid(), SIGTERM);
      });

    ends.wait();
    if (!server.drain(30s)) {
      log(om::log_level::error, std::to_string(server.running()) + " orders were still in work");
      return 1;
    }
    return 0;
  } catch (const om::messaging_error& e) {
    std::cerr << e.what() << '\n';
    return 2;
  }
}
