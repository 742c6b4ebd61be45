// Sends numbered messages at a steady rate and notes what became of each.
//
//   chaos_sender --url URL send TOPIC --log FILE --kind cast|call|notify [--count N] [--rate N]
//                [--window N] [--timeout SECONDS] [--settle SECONDS] [--size BYTES] [--first N]
//
// Prints "ready" at once. Messages are numbered from `first`. Ends when `count` messages have been
// sent (0: never) or SIGTERM came, and every one has its outcome: exit code 0. 1: some had none
// after `settle` seconds.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <functional>
#include <oslo/messaging/notify.hpp>
#include <oslo/messaging/rpc.hpp>
#include <oslo/messaging/rpc/completion.hpp>
#include <string>

#include "chaos/event_log.hpp"
#include "interop/service.hpp"

namespace om = oslo::messaging;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

/// True when SIGTERM came within `limit`.
bool told_to_end(std::chrono::nanoseconds limit, om::chaos::event_log& log) {
  sigset_t end;
  sigemptyset(&end);
  sigaddset(&end, SIGTERM);
  sigaddset(&end, om::chaos::trim_signal);
  const timespec wait{static_cast<time_t>(limit / 1s), static_cast<long>((limit % 1s).count())};
  const int received = sigtimedwait(&end, nullptr, &wait);
  if (received == om::chaos::trim_signal) om::chaos::trim(log);
  return received == SIGTERM;
}

struct plan {
  explicit plan(const om::interop::service_options& o)
      : kind(o["kind"]),
        count(number(o, "count", 0)),
        rate(number(o, "rate", 1'000)),
        window(number(o, "window", 1'000)),
        timeout(number(o, "timeout", 0)),
        settle(number(o, "settle", 60)),
        first(number(o, "first", 0)),
        text(static_cast<std::size_t>(number(o, "size", 100)), 'x') {}

  static long number(const om::interop::service_options& o, const char* name, long usual) {
    const auto text = o.find(name);
    return text ? std::stol(*text) : usual;
  }

  std::string kind;
  long count, rate, window, timeout, settle, first;
  std::string text;
};

/// Starts message `id`; `done` gets its outcome once, from any thread.
using starter = std::function<void(long id, std::function<void(const om::failure*)> done)>;

template <class R>
auto reporting(std::function<void(const om::failure*)> done) {
  return [done = std::move(done)](om::result<R> r) {
    const auto why = r.has_error() ? std::optional(r.error()) : std::nullopt;
    done(why ? &*why : nullptr);
  };
}

starter make_starter(const om::transport& bus, const std::string& topic, const plan& p) {
  if (p.kind == "notify") {
    om::notify::notifier_options o{.drivers = {{"messagingv2"}}, .topics = {{topic}}};
    if (p.timeout > 0) o.timeout = std::chrono::seconds(p.timeout);
    return [n = om::notify::notifier(bus, o), text = p.text](long id, auto done) {
      n.post(om::notify::priority::info, {}, "mark", om::value{{"id", id}, {"text", text}},
             reporting<void>(std::move(done)));
    };
  }
  om::rpc::client_options o;
  if (p.timeout > 0) o.timeout = std::chrono::seconds(p.timeout);
  const om::rpc::client client(bus, {.topic = topic}, o);
  if (p.kind == "cast")
    return [client, p](long id, auto done) {
      om::rpc::async_try_cast(client, "mark", {}, om::value{{"id", id}, {"text", p.text}},
                              reporting<void>(std::move(done)));
    };
  if (p.kind == "call")
    return [client, p](long id, auto done) {
      om::rpc::async_try_call(client, "mark", {}, om::value{{"id", id}, {"text", p.text}},
                              reporting<om::value>(std::move(done)));
    };
  throw std::runtime_error("--kind is cast, call or notify");
}

/// False when messages are left without an outcome.
bool run(const plan& p, const starter& start, om::chaos::event_log& log) {
  std::atomic<long> running{0};
  const auto begun = steady_clock::now();
  long sent = 0;
  while (p.count == 0 || sent < p.count) {
    const auto due =
        static_cast<long>(std::chrono::duration<double>(steady_clock::now() - begun).count() *
                          static_cast<double>(p.rate)) +
        1;
    for (; sent < due && (p.count == 0 || sent < p.count) && running < p.window; ++sent) {
      ++running;
      const long id = p.first + sent;
      log.write("try", id);
      start(id, [&log, &running, id](const om::failure* why) {
        if (why)
          log.write(om::chaos::event_of(*why), id, why->message());
        else
          log.write("ok", id);
        --running;
      });
    }
    if (told_to_end(1ms, log)) break;
  }
  const auto deadline = steady_clock::now() + std::chrono::seconds(p.settle);
  while (running > 0 && steady_clock::now() < deadline) (void)told_to_end(1ms, log);
  return running == 0;
}

}  // namespace

int main(int argc, char** argv) {
  om::chaos::block({om::chaos::trim_signal});
  return om::interop::run_service(argc, argv, [](const om::interop::service_options& o) {
    const plan p(o);
    om::chaos::event_log log(o["log"]);
    auto bus = om::open_transport(o["url"]);
    const auto start = make_starter(bus, o.topic, p);
    std::puts("ready");
    std::fflush(stdout);
    const bool settled = run(p, start, log);
    bus.close();  // completions use what is destroyed next
    if (!settled) throw std::runtime_error("some messages had no outcome");
  });
}
