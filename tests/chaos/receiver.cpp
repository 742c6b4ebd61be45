// Takes numbered messages and notes each one when its handler begins, and when it ends.
//
//   chaos_receiver --url URL receive TOPIC --log FILE --kind rpc|notify [--threads N] [--prefetch
//   N]
//                  [--delay SECONDS] [--also TOPIC]
//
// Prints "ready" once it consumes. `delay`: each handler of TOPIC takes that long, until SIGUSR1
// comes; those of `also` (RPC, same connection) never do. SIGTERM ends it; the last line of the log
// is "dropped N": second copies that the library has recognised.
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <oslo/messaging/rpc.hpp>
#include <oslo/messaging/rpc/server.hpp>
#include <string>

#include "chaos/event_log.hpp"
#include "interop/service.hpp"

namespace om = oslo::messaging;

namespace {

class duplicate_counter final : public om::metrics {
 public:
  void add(std::string_view name, om::metric_labels, std::int64_t delta) override {
    if (name == "server_duplicates_total") count_ += delta;
  }
  void set(std::string_view, om::metric_labels, double) override {}
  void observe(std::string_view, om::metric_labels, double) override {}
  long count() const { return count_; }

 private:
  std::atomic<std::int64_t> count_{0};
};

/// Makes handlers slow until it is opened.
class brake {
 public:
  explicit brake(double seconds) : delay_(seconds), open_(seconds == 0) {}
  void pass() {
    std::unique_lock lock(mutex_);
    opened_.wait_for(lock, delay_, [&] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  std::chrono::duration<double> delay_;
  bool open_;
};

std::shared_ptr<om::rpc::endpoint> make_endpoint(om::chaos::event_log& log, brake* slow) {
  auto e = std::make_shared<om::rpc::endpoint>();
  e->bind("mark", [&log, slow](const om::value& args) {
    const auto id = args.at("id").to_number<long>();
    log.write("began", id);
    if (slow) slow->pass();
    log.write("got", id);
    return om::value(id);
  });
  e->bind("big", [&log](const om::value& args) {
    log.write("got", args.at("id").to_number<long>());
    return om::value(std::string(args.at("bytes").to_number<std::size_t>(), 'x'));
  });
  return e;
}

void wait_for_the_end(brake& slow, om::chaos::event_log& log) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGUSR1);
  sigaddset(&wanted, om::chaos::trim_signal);
  std::puts("ready");
  std::fflush(stdout);
  for (int received = 0; received != SIGTERM;) {
    sigwait(&wanted, &received);
    if (received == SIGUSR1) slow.open();
    if (received == om::chaos::trim_signal) om::chaos::trim(log);
  }
  slow.open();
}

}  // namespace

int main(int argc, char** argv) {
  om::chaos::block({SIGUSR1, om::chaos::trim_signal});
  return om::interop::run_service(argc, argv, [](const om::interop::service_options& o) {
    om::chaos::event_log log(o["log"]);
    const auto meter = std::make_shared<duplicate_counter>();
    brake slow(std::stod(o.find("delay").value_or("0")));
    const auto threads = std::stoul(o.find("threads").value_or("4"));
    const auto prefetch = std::stoul(o.find("prefetch").value_or("0"));
    const auto bus = om::open_transport(o["url"], {.meter = meter});
    if (o["kind"] == "notify") {
      auto e = std::make_shared<om::notify::endpoint>();
      e->bind(om::notify::priority::info, [&](const om::notify::notification& n) {
        const auto id = n.payload<om::value>().at("id").to_number<long>();
        log.write("began", id);
        slow.pass();
        log.write("got", id);
      });
      om::notify::listener listener(
          bus, {om::target{.topic = o.topic}}, {e},
          {.executor = om::thread_pool(threads), .allow_requeue = true, .prefetch = prefetch});
      listener.start();
      wait_for_the_end(slow, log);
      listener.stop();
      listener.wait();
    } else {
      const auto serve = [&](const std::string& topic, brake* b) {
        return om::rpc::server(bus, {.topic = topic, .server = "one"}, {make_endpoint(log, b)},
                               {.executor = om::thread_pool(threads), .prefetch = prefetch});
      };
      auto server = serve(o.topic, &slow);
      server.start();
      std::optional<om::rpc::server> second;
      if (const auto also = o.find("also")) {
        second.emplace(serve(*also, nullptr));
        second->start();
      }
      wait_for_the_end(slow, log);
      for (auto* one : {&server, second ? &*second : nullptr}) {
        if (!one) continue;
        one->stop();
        one->wait();
      }
    }
    log.write("dropped", meter->count());
  });
}
