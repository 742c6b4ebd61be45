// A collector: takes samples and events in batches and writes them to an SQLite file.
//
// A batch is one transaction, and is acknowledged after its commit: a collector or a broker that
// dies in between gets it again, and the store recognises what it has. One that cannot be stored
// (the disk is full) goes back to the bus. Prints how many different messages it has stored, a line
// a transaction; SIGTERM ends it.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>
#include <oslo/messaging/messaging.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <span>
#include <string>

#include "store.hpp"
#include "telemetry.hpp"

namespace om = oslo::messaging;
using om::notify::outcome;
using om::notify::priority;
using samples = std::span<const om::notify::typed_notification<telemetry::polling_batch>>;
using events = std::span<const om::notify::notification>;

namespace {

struct settings {
  std::string url = "rabbit://", db, topic = "notifications", exchange = "openstack", pool;
  std::size_t batch = 100;
  int batch_ms = 200;
};

/// What both endpoints do with a batch.
template <class Batch>
outcome keep(telemetry::store& store, Batch batch) {
  try {
    store.add(batch);
  } catch (const std::exception& e) {
    std::cerr << "A batch of " << batch.size() << " goes back: " << e.what() << '\n';
    return outcome::requeue;
  }
  std::printf("%zu\n", store.messages());
  std::fflush(stdout);
  return outcome::handled;
}

std::shared_ptr<om::notify::endpoint> sample_endpoint(telemetry::store& store) {
  auto e = std::make_shared<om::notify::endpoint>(
      om::notify::filter_rules{.event_type = "telemetry\\.polling$"});
  e->bind_batch(priority::sample, [&store](samples batch) { return keep(store, batch); });
  return e;
}

std::shared_ptr<om::notify::endpoint> event_endpoint(telemetry::store& store) {
  auto e = std::make_shared<om::notify::endpoint>(
      om::notify::filter_rules{.event_type = "(compute\\.instance|image|network)\\."});
  for (const auto p : {priority::info, priority::error})
    e->bind_batch(p, [&store](events batch) { return keep(store, batch); });
  return e;
}

int run(const settings& s) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before any thread starts

  telemetry::store store{s.db};
  om::transport_options options;
  options.conf.set("DEFAULT", "control_exchange", s.exchange);
  options.conf.set("oslo_messaging_rabbit", "amqp_durable_queues", "true");
  options.log = om::stderr_logger(om::log_level::error);
  const om::transport bus = om::open_transport(s.url, options);

  om::notify::listener_options how;
  how.executor = om::thread_pool(1);  // the store is used by one thread
  how.allow_requeue = true;
  if (!s.pool.empty()) how.pool = s.pool;
  how.batch =
      om::notify::batch_options{.size = s.batch, .timeout = std::chrono::milliseconds(s.batch_ms)};
  om::notify::listener listener{
      bus, {om::target{.topic = s.topic}}, {sample_endpoint(store), event_endpoint(store)}, how};
  listener.start();
  std::printf("ready\n");
  std::fflush(stdout);

  int signal = 0;
  while (sigwait(&ends, &signal) != 0) {
  }
  listener.stop();
  listener.wait();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app{"Stores what agents and services of a cloud tell."};
  app.add_option("--url", s.url, "The bus")->capture_default_str();
  app.add_option("--exchange", s.exchange, "control_exchange")->capture_default_str();
  app.add_option("--topic", s.topic, "Topic")->capture_default_str();
  app.add_option("--pool", s.pool, "Share a copy of all messages with other collectors");
  app.add_option("--db", s.db, "SQLite file")->required();
  app.add_option("--batch", s.batch, "Messages of one transaction")->capture_default_str();
  app.add_option("--batch-ms", s.batch_ms, "Time the first of them waits for others")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(s);
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
