// bench: how fast calls, casts and a server are over a bus.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "ask.hpp"
#include "bench_figures.hpp"
#include "bench_server.hpp"
#include "bench_window.hpp"
#include "child_process.hpp"
#include "executor_options.hpp"
#include "exit_status.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {
namespace {

struct bench_options {
  std::string mode;
  std::size_t in_flight = 64;
  std::uint64_t count = 20'000;
  std::size_t body = 100;
  std::string json_file;
  executor_options run_on{"inline"};
};

struct sink_options {
  std::string topic;
  std::uint64_t count = 0;
  executor_options run_on{"inline"};
};

/// One line on a terminal, rewritten; nothing elsewhere.
class progress_line {
 public:
  explicit progress_line(std::uint64_t total) : total_{total}, shown_{isatty(STDERR_FILENO) == 1} {}
  ~progress_line() { clear(); }
  void show(const char* what, std::uint64_t so_far) const {
    if (!shown_) return;
    std::fprintf(stderr, "\r\x1b[K%s %llu of %llu", what, static_cast<unsigned long long>(so_far),
                 static_cast<unsigned long long>(total_));
    std::fflush(stderr);
  }
  void clear() const {
    if (shown_) std::fputs("\r\x1b[K", stderr);
  }

 private:
  std::uint64_t total_;
  bool shown_;
};

target bench_target() {
  target on;
  on.topic = "oslo-msg-bench-" + std::to_string(getpid());
  on.server = "bench";
  return on;
}

/// For any server of the topic.
rpc::client bench_client(const transport& bus, target on) {
  on.server.reset();
  return {bus, on, {.timeout = bench_patience}};
}

std::string bench_arguments(std::size_t bytes) {
  return "{\"data\": \"" + std::string(bytes, 'x') + "\"}";
}

void fill_in(figures& f, bench_window::outcome outcome) {
  f.seconds = outcome.seconds;
  f.latencies = std::move(outcome.latencies);
  f.errors = outcome.errors;
}

/// With FIFO queues and one client the count is there at the first look, unless handlers of the
/// last casts are still running on other threads.
void expect_hits(const rpc::client& client, std::uint64_t count) {
  const auto deadline = std::chrono::steady_clock::now() + bench_patience;
  std::string hits;
  do {
    hits = call_text(client, "hits", {}, "{}").value();
    if (hits == std::to_string(count)) return;
  } while (std::chrono::steady_clock::now() < deadline);
  throw std::runtime_error{"The server took " + hits + " of " + std::to_string(count) + " casts."};
}

figures measure_window(program p, const bench_options& o, bench_window::kind what,
                       std::optional<failure>& first_error) {
  figures f{.mode = o.mode,
            .executor = o.run_on.kind,
            .count = o.count,
            .in_flight = o.in_flight,
            .body = o.body};
  p.temporary = true;
  const transport bus = p.open();
  target on = bench_target();
  on.exchange = on.topic;
  bench_server server{p, bus, on, o.run_on};
  const rpc::client client = bench_client(bus, on);
  const bool calls = what == bench_window::kind::call;
  bench_window window{client, what, calls ? "echo" : "hit", bench_arguments(o.body), o.in_flight};
  const progress_line line{o.count};

  const std::uint64_t warm_up = o.count / 10 + 1;
  auto outcome = window.run(warm_up, [&](auto n) { line.show("warming up", n); });
  if (!outcome.errors) {
    const double client_cpu = own_cpu_seconds();
    const auto server_cpu = server.cpu_seconds();
    outcome = window.run(o.count, [&](auto n) { line.show(calls ? "calls" : "casts", n); });
    f.client_cpu = own_cpu_seconds() - client_cpu;
    if (server_cpu) f.server_cpu = *server.cpu_seconds() - *server_cpu;
    if (!calls && !outcome.errors) expect_hits(client, warm_up + o.count);
  }
  first_error = outcome.first_error;
  fill_in(f, std::move(outcome));
  server.stop();
  return f;
}

// ---- drain --------------------------------------------------------------------------------------

/// One line for the process that started us: how long the server took.
int sink(const program& p, const sink_options& o) {
  const transport bus = p.open();
  target on;
  on.topic = o.topic;
  on.server = "bench";
  const auto timing = run_sink(bus, on, o.count, o.run_on);
  std::printf("{\"seconds\": %.9f, \"cpu_seconds\": %.9f}\n", timing.seconds, timing.cpu_seconds);
  return done;
}

bench_sink::timing sink_elsewhere(const program& p, const transport& bus, const target& on,
                                  std::uint64_t count, const executor_options& run_on) {
  if (bus.url().transport == "fake") return run_sink(bus, on, count, run_on);
  auto arguments = p.global_arguments();
  arguments.insert(arguments.end(), {"bench-sink", *on.topic, "--count", std::to_string(count),
                                     "--executor", run_on.kind});
  if (run_on.workers)
    arguments.insert(arguments.end(), {"--workers", std::to_string(*run_on.workers)});
  child_process child{arguments};
  // It gives up by itself when messages stop coming, and its end ends the wait.
  const auto v = boost::json::parse(child.read_line(std::chrono::hours{24}));
  child.wait(bench_patience);
  return {v.at("seconds").as_double(), v.at("cpu_seconds").as_double()};
}

figures measure_drain(const program& p, const bench_options& o,
                      std::optional<failure>& first_error) {
  figures f{.mode = o.mode,
            .executor = o.run_on.kind,
            .count = o.count,
            .in_flight = o.in_flight,
            .body = o.body};
  const transport bus = p.open();
  const target on = bench_target();
  const progress_line line{o.count};
  sink_elsewhere(p, bus, on, 0, o.run_on);

  bench_window window{bench_client(bus, on), bench_window::kind::cast, "hit",
                      bench_arguments(o.body), o.in_flight};
  const double client_cpu = own_cpu_seconds();
  auto filled = window.run(o.count, [&](auto n) { line.show("filling", n); });
  f.client_cpu = own_cpu_seconds() - client_cpu;
  f.errors = filled.errors;
  first_error = filled.first_error;
  if (filled.errors) return f;

  line.show("draining", o.count);
  const auto timing = sink_elsewhere(p, bus, on, o.count, o.run_on);
  f.seconds = timing.seconds;
  f.server_cpu = timing.cpu_seconds;
  return f;
}

// ---- the command --------------------------------------------------------------------------------

void write_file(const std::string& path, const std::string& text) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "w");
  if (file == nullptr) throw usage_error{"--json: cannot write " + path};
  const bool written = std::fputs(text.c_str(), file) >= 0;
  const bool closed = file == stdout ? std::fflush(file) == 0 : std::fclose(file) == 0;
  if (!written || !closed) throw std::runtime_error{"--json: cannot write " + path};
}

int bench(const program& p, const bench_options& o) {
  std::optional<failure> first_error;
  figures f = o.mode == "drain"  ? measure_drain(p, o, first_error)
              : o.mode == "call" ? measure_window(p, o, bench_window::kind::call, first_error)
                                 : measure_window(p, o, bench_window::kind::cast, first_error);
  if (!o.json_file.empty()) write_file(o.json_file, to_json_line(f));
  if (o.json_file != "-") std::fputs(to_text(f).c_str(), stdout);
  return first_error ? report(*first_error) : done;
}

constexpr const char* explanation = R"(
  call   calls to echo, --in-flight at a time
  cast   casts to hit, each waiting for the bus to take it, --in-flight at a time
  drain  fills the queue with --count casts first, then times the server alone

The server runs in a process of its own (over fake:// in this one). Ten percent more messages warm
everything up before the clock starts. Every message is waited for; errors are counted and make the
exit status that of the first one.

The JSON has "rate" (a second), "latency_us": {"p50", "p99", "p999"}, "cpu_us": {"client",
"server"} (user and system, a message) and "errors"; null where there is nothing to measure.

Example: oslo-msg --url rabbit://guest:guest@localhost/ bench call --in-flight 64 --json call.json)";

}  // namespace

void add_bench(CLI::App& app, program& p) {
  auto o = std::make_shared<bench_options>();
  CLI::App* command = app.add_subcommand("bench", "Measure calls, casts, or a server over --url");
  command->footer(explanation);
  command->add_option("MODE", o->mode, "call, cast or drain")
      ->required()
      ->check(CLI::IsMember({"call", "cast", "drain"}).description(""));
  command->add_option("--in-flight", o->in_flight, "Messages under way at once [64]")
      ->type_name("N")
      ->check(CLI::Range(std::size_t{1}, std::size_t{100'000}).description(""));
  command->add_option("--count", o->count, "Messages to measure [20000]")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{2}, std::uint64_t{100'000'000}).description(""));
  command->add_option("--body", o->body, "Bytes of argument in each message [100]")
      ->type_name("BYTES")
      ->check(CLI::Range(std::size_t{0}, std::size_t{16} << 20).description(""));
  command->add_option("--json", o->json_file, "Write the figures to a file; -: standard output")
      ->type_name("FILE");
  add_executor(*command, o->run_on);
  command->callback([&p, o] { p.run = [&p, o] { return bench(p, *o); }; });

  auto s = std::make_shared<sink_options>();
  CLI::App* hidden = app.add_subcommand("bench-sink", "The server that bench drain starts");
  hidden->group("");
  hidden->add_option("TOPIC", s->topic)->required();
  hidden->add_option("--count", s->count)->required();
  add_executor(*hidden, s->run_on);
  hidden->callback([&p, s] { p.run = [&p, s] { return sink(p, *s); }; });
}

}  // namespace oslo::messaging::cli
