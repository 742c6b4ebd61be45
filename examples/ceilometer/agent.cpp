// An agent: sends samples and events as fast as the bus takes them, and notes what was confirmed.
//
// The application thread is never held up by the bus for longer than the outbox's rule: when the
// outbox has no room for `wait_limit`, `post` says so and the agent could do something else.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/notify/outbox.hpp>
#include <string>

#include "telemetry.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr auto patience = 100ms;       // how long the application lets itself be held up
constexpr auto longest_outage = 120s;  // for what is left at the end

struct settings {
  std::string url = "rabbit://", ledger, topic = "notifications", exchange = "openstack";
  std::size_t count = 1000;
  std::uint64_t seed = 1;
};

double seconds(steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(used.ru_utime) + of(used.ru_stime);
}

int run(const settings& s) {
  std::ofstream ledger(s.ledger);
  if (!ledger) {
    std::cerr << s.ledger << " cannot be written\n";
    return 1;
  }
  om::transport_options options;
  options.conf.set("DEFAULT", "control_exchange", s.exchange);
  options.conf.set("oslo_messaging_rabbit", "amqp_durable_queues", "true");
  options.log = om::stderr_logger(om::log_level::error);
  const om::transport bus = om::open_transport(s.url, options);

  om::notify::outbox_options box;
  box.rule = om::notify::when_full::wait;
  box.wait_limit = patience;
  box.on_report = [&](const om::notify::delivery_report& r) {  // one at a time
    if (r.what == om::notify::delivery_outcome::delivered) ledger << r.message_id << '\n';
  };
  const std::string publisher = "compute.agent" + std::to_string(s.seed);
  om::notify::outbox outbox{
      om::notify::notifier{
          bus, {.publisher_id = publisher, .drivers = {{"messagingv2"}}, .topics = {{s.topic}}}},
      std::move(box)};

  telemetry::generator cloud{s.seed};
  std::size_t bytes = 0, held_up = 0;
  steady_clock::duration longest_post{0};
  const auto started = steady_clock::now();
  for (std::size_t n = 0; n < s.count; ++n) {
    const auto message = cloud.next();
    const auto text = om::to_json(message.payload);
    bytes += text.size();
    for (;;) {
      const auto before = steady_clock::now();
      const auto taken = outbox.post_json(message.priority, {}, message.event_type, text);
      longest_post = std::max(longest_post, steady_clock::now() - before);
      if (taken) break;
      if (taken.error().code() != om::errc::limit_exceeded) {
        std::cerr << taken.error().message() << '\n';
        return 1;
      }
      ++held_up;  // an agent with other work would do that now
    }
  }
  const auto flushed = outbox.flush(longest_outage);
  const auto took = seconds(steady_clock::now() - started);
  const auto counts = outbox.counts();
  if (!flushed) outbox.close(0ms);  // its reports refer to the ledger
  ledger.flush();
  const auto per_message = static_cast<double>(s.count);
  std::printf(
      "{\"messages\": %zu, \"confirmed\": %llu, \"failed\": %llu, \"seconds\": %.2f, "
      "\"rate\": %.0f, \"mean_bytes\": %.0f, \"longest_post_ms\": %.1f, \"held_up\": %zu, "
      "\"cpu_us\": %.1f}\n",
      s.count, static_cast<unsigned long long>(counts.delivered),
      static_cast<unsigned long long>(counts.failed), took, per_message / took,
      static_cast<double>(bytes) / per_message, seconds(longest_post) * 1000, held_up,
      cpu_seconds() / per_message * 1e6);
  return counts.delivered == s.count && ledger ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app{"Sends what a cloud tells its telemetry service."};
  app.add_option("--url", s.url, "The bus")->capture_default_str();
  app.add_option("--exchange", s.exchange, "control_exchange")->capture_default_str();
  app.add_option("--topic", s.topic, "Topic")->capture_default_str();
  app.add_option("--count", s.count, "Notifications")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000'000}));
  app.add_option("--seed", s.seed, "The same seed sends the same")->capture_default_str();
  app.add_option("--ledger", s.ledger, "File for the ids of what was confirmed")->required();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(s);
  } catch (const om::messaging_error& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
