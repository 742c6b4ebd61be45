// The pieces of docs/notifications-*.md, as one program.
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/describe/class.hpp>
#include <future>
#include <iostream>
#include <oslo/messaging/messaging.hpp>
#include <span>
#include <string>

#include "expect.hpp"

namespace om = oslo::messaging;
namespace asio = boost::asio;
using namespace std::chrono_literals;
using om::notify::priority;

struct instance_payload {
  std::string instance_id;
  std::string state;
  std::optional<int> memory_mb;
};
BOOST_DESCRIBE_STRUCT(instance_payload, (), (instance_id, state, memory_mb))

// Counts to a number, and tells who waits for it.
class countdown {
 public:
  explicit countdown(int from) : left_(from) {}
  void one() {
    if (--left_ == 0) done_.set_value();
  }
  bool wait() { return done_.get_future().wait_for(20s) == std::future_status::ready; }

 private:
  std::atomic<int> left_;
  std::promise<void> done_;
};

class billing : public om::notify::endpoint {
 public:
  explicit billing(countdown& seen)
      : endpoint(om::notify::filter_rules{.publisher_id = "compute\\.",
                                          .event_type = "compute\\.instance\\.",
                                          .payload = {{"state", "active$"}}}),
        seen_(seen) {
    bind(priority::info, &billing::on_info);
    bind(priority::error, [this](const om::notify::notification& n) {
      std::cout << *n.event_type << ": " << n.payload_json << '\n';
      seen_.one();
      return om::notify::outcome::handled;
    });
  }

 private:
  void on_info(const om::context& ctxt, const instance_payload& instance) {
    const auto* user = ctxt.find("user_id");
    std::cout << instance.instance_id << " of " << (user ? user->as_string().c_str() : "nobody")
              << " is " << instance.state << '\n';
    seen_.one();
  }

  countdown& seen_;
};

asio::awaitable<void> tell(om::notify::notifier notifier) {
  const instance_payload payload{"i-1", "active", 512};
  const om::context ctxt{{"user_id", "ada"}, {"auth_token", "s3cret"}};
  const om::result<void> report =
      co_await notifier.info(ctxt, "compute.instance.create.end", payload);
  if (!report) std::cerr << report.error().message() << '\n';
}

void single(const om::transport& bus) {
  countdown seen(2);
  om::notify::listener listener{
      bus, {{.topic = "notifications"}}, {std::make_shared<billing>(seen)}};
  listener.start();

  const om::notify::notifier notifier{bus,
                                      {.publisher_id = "compute.host1",
                                       .drivers = {{"messagingv2", "log"}},
                                       .redact = om::notify::known_keys}};
  asio::io_context io;
  auto told = asio::co_spawn(io, tell(notifier), asio::use_future);
  io.run();
  told.get();

  const om::blocking::notifier blocking{notifier};
  blocking.info({}, "compute.instance.delete.end", instance_payload{"i-1", "deleted", {}});
  blocking.error({}, "compute.instance.resize.error", om::value{{"state", "active"}, {"code", 5}});

  expect(seen.wait(), "two of the three pass the filter");
  listener.stop();
  listener.wait();
}

void posted(const om::notify::notifier& notifier) {
  std::promise<bool> delivered;
  notifier.post(priority::sample, {}, "telemetry.polling", om::value{{"cpu", 0.5}},
                [&](om::result<void> report) {
                  delivered.set_value(report.has_value());  // on the transport's loop
                });
  expect(delivered.get_future().get(), "the bus has it");
}

// Passes on what it gets. No thread waits until the other side has it.
class forwarder : public om::notify::endpoint {
 public:
  explicit forwarder(om::notify::notifier to) : to_(std::move(to)) {
    bind(priority::info, &forwarder::on_info);
    bind(priority::warn, &forwarder::on_warning);
  }

 private:
  asio::awaitable<om::notify::outcome> on_info(const om::notify::notification& n,
                                               om::raw_json payload) {
    const om::result<void> report = co_await to_.info(n.ctxt, n.event_type.value_or(""), payload);
    co_return report ? om::notify::outcome::handled : om::notify::outcome::requeue;
  }

  void on_warning(const om::notify::notification& n, om::raw_json payload,
                  om::notify::responder later) {
    to_.post(priority::warn, n.ctxt, n.event_type.value_or(""), payload,
             [later = std::move(later)](om::result<void> report) mutable {
               later.answer(report ? om::notify::outcome::handled : om::notify::outcome::requeue);
             });
  }

  om::notify::notifier to_;
};

void forwarded(const om::transport& bus) {
  countdown seen(2);
  auto far = std::make_shared<om::notify::endpoint>();
  far->bind(priority::info, [&] { seen.one(); });
  far->bind(priority::warn, [&] { seen.one(); });
  om::notify::listener at_the_end{bus, {{.topic = "far"}}, {far}};
  at_the_end.start();
  const om::notify::notifier onward{bus, {.drivers = {{"messagingv2"}}, .topics = {{"far"}}}};
  om::notify::listener listener{bus,
                                {{.topic = "near"}},
                                {std::make_shared<forwarder>(onward)},
                                {.allow_requeue = true, .max_running = 1'000}};
  listener.start();

  const om::blocking::notifier notifier{bus, {.drivers = {{"messagingv2"}}, .topics = {{"near"}}}};
  notifier.info({}, "passed.on", 1);
  notifier.warn({}, "passed.on", 2);
  expect(seen.wait(), "both");
  if (!listener.drain(20s)) std::cerr << listener.health().running << " are still in work\n";
}

void outboxed(const om::notify::notifier& notifier) {
  om::notify::outbox outbox{notifier,
                            {.name = "telemetry",
                             .max_messages = 100'000,
                             .rule = om::notify::when_full::drop_oldest,
                             .on_report = [&](const om::notify::delivery_report& r) {
                               if (r.what != om::notify::delivery_outcome::delivered)
                                 std::cerr << r.event_type << ": " << r.why.message() << '\n';
                             }}};
  const om::result<void> accepted =
      outbox.post(priority::sample, {}, "telemetry.polling", om::value{{"cpu", 0.5}});
  expect(accepted.has_value(), "there is room");
  if (!outbox.flush(10s)) std::cerr << outbox.counts().held << " are still on their way\n";
  expect(outbox.counts().delivered == 1, "the bus has it");
}

// A handler that never succeeds.
void poisoned(const om::transport& bus) {
  std::promise<std::string> reason;
  auto graves = std::make_shared<om::notify::endpoint>();
  graves->bind(priority::info, [&](const om::notify::notification& n) {
    reason.set_value(n.headers.at(std::string(om::notify::dead_letter_error)));
  });
  om::notify::listener cemetery{bus, {{.topic = "dead"}}, {graves}};
  cemetery.start();
  auto fails = std::make_shared<om::notify::endpoint>();
  fails->bind(priority::info, [] { throw std::runtime_error("disk full"); });
  om::notify::listener listener{
      bus,
      {{.topic = "notifications"}},
      {fails},
      {.allow_requeue = true,
       .dead_letters = om::notify::dead_letter_options{.after = 3, .to = {.topic = "dead"}}}};
  listener.start();
  om::blocking::notifier{bus, {.drivers = {{"messagingv2"}}}}.info({}, "write", 1);
  expect(reason.get_future().get() == "disk full", "the reason travels with it");
}

void batches(const om::transport& bus) {
  countdown seen(251);
  auto collector = std::make_shared<om::notify::endpoint>();
  collector->bind_batch(priority::sample, [&](std::span<const om::notify::notification> samples) {
    for (std::size_t i = 0; i < samples.size(); ++i) seen.one();  // one transaction for all
    return om::notify::outcome::handled;
  });
  using instances = std::span<const om::notify::typed_notification<instance_payload>>;
  collector->bind_batch(priority::info, [](instances batch) {
    for (const auto& n : batch)
      std::cout << n.about.event_type.value_or("") << ": " << n.payload.instance_id << '\n';
  });
  om::notify::listener listener{
      bus,
      {{.topic = "telemetry"}},
      {collector},
      {.allow_requeue = true,
       .pool = "collector",
       .batch = om::notify::batch_options{.size = 100, .timeout = 200ms}}};
  listener.start();

  const om::notify::notifier notifier{
      bus, {.publisher_id = "agent", .drivers = {{"messagingv2"}}, .topics = {{"telemetry"}}}};
  for (int i = 0; i < 249; ++i) notifier.post(priority::sample, {}, "telemetry.polling", i);
  posted(notifier);
  outboxed(notifier);
  expect(seen.wait(), "all of them");
}

void configured() {
  const auto conf = om::config::parse(
      "[oslo_messaging_notifications]\n"
      "driver = messagingv2\n"
      "driver = log\n"
      "topics = notifications, versioned_notifications\n"
      "transport_url = fake://\n"
      "retry = 3\n");
  const om::transport bus = om::notify::open_transport("", {.conf = conf});
  const om::notify::notifier notifier{bus, {.publisher_id = "compute.host1"}};
  expect(notifier.topics().size() == 2 && notifier.retry() == 3, "from the file");
  const auto other = notifier.prepare({.publisher_id = "compute.host2", .retry = 0});
  expect(other.retry() == 0 && other.is_enabled(), "changed");
}

class console : public om::notify::notification_driver {
 public:
  void notify(const om::notify::outgoing_notification& n,
              om::unique_function<void(om::result<void>)> done) const override {
    std::cout << om::notify::to_string(n.priority) << ' ' << n.event_type << ": " << n.body << '\n';
    done({});
  }
};

void printed(const om::transport& bus) {
  const om::blocking::notifier notifier{
      bus,
      {.drivers = {{"messagingv2", "console"}},
       .custom_drivers = {{"console", std::make_shared<console>()}}}};
  expect(notifier.info({}, "disk.added", om::value{{"left", 7}}).has_value(), "both have it");
}

void tested() {
  const om::transport bus = om::open_transport("fake://");
  om::notify::reset_kept_notifications();
  om::blocking::notifier{bus, {.drivers = {{"test"}}}}.warn({}, "disk.full",
                                                            om::value{{"left", 0}});
  const auto kept = om::notify::kept_notifications();
  expect(kept.size() == 1 && kept[0].message.at("event_type") == "disk.full", "kept");
}

int main() {
  const om::transport bus = om::open_transport("fake://");
  single(bus);
  forwarded(bus);
  poisoned(bus);
  batches(bus);
  configured();
  printed(bus);
  tested();
  std::cout << "all as it should be\n";
}
