// bench: how fast calls, casts, notifications or a server are over a bus.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "bench/figures.hpp"
#include "bench/measure.hpp"
#include "bench/queues.hpp"
#include "bench/server.hpp"
#include "exit_status.hpp"
#include "option_kinds.hpp"
#include "output.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {
namespace {

struct helper_options {
  target where;
  std::uint64_t count = 0;
  std::size_t servers = 1;
  executor_options run_on{"inline"};
};

void write_file(const std::string& path, const std::string& text) {
  if (path == "-") return print(text);
  std::FILE* file = std::fopen(path.c_str(), "w");
  if (file == nullptr) throw output_error::at("--json: " + path);
  const bool written = std::fputs(text.c_str(), file) >= 0;
  if (std::fclose(file) != 0 || !written) throw output_error::at("--json: " + path);
}

/// Options that the mode has no use for are mistakes, not wishes.
void check(const bench_options& o, const CLI::App& command) {
  const auto only_for = [&](const char* option, bool fits, const char* modes) {
    if (command.count(option) != 0 && !fits)
      throw usage_error{std::string{option} + " goes with " + modes + ", not with " + o.mode};
  };
  const bool drains = o.mode == "drain", remembers = o.mode == "memory";
  only_for("--servers", o.mode == "fanout", "fanout");
  only_for("--transports", o.mode == "call", "call");
  only_for("--callers", o.mode == "call", "call");
  only_for("--seconds", !drains && !remembers, "call, cast, notify and fanout");
  only_for("--rate", !drains && !remembers, "call, cast, notify and fanout");
  only_for("--count", !remembers, "every other mode");
  if (o.body == "int" && o.mode != "call")
    throw usage_error{"--body int goes with call, not with " + o.mode};
  if (o.rate && o.callers != "completions")
    throw usage_error{"--rate goes with --callers completions, not with " + o.callers};
  if (o.rate && o.transports != 1)  // each would send its part at the same moments
    throw usage_error{"--rate goes with one transport, not with " + std::to_string(o.transports)};
  const auto divides = [&](const char* option, std::uint64_t n) {
    if (n < o.transports)
      throw usage_error{std::string{option} + ": " + std::to_string(n) +
                        " cannot be divided among " + std::to_string(o.transports) + " transports"};
  };
  divides("--in-flight", o.in_flight);
  if (o.count) divides("--count", *o.count);
  if (o.callers == "threads" && o.in_flight > 4096)
    throw usage_error{"--in-flight: at most 4096 threads"};
}

int bench(const program& p, const bench_options& o) {
  figures f;
  measure(p, o, f);
  if (!o.json_file.empty()) write_file(o.json_file, to_json_line(f));
  if (o.json_file != "-") print(to_text(f));
  if (!rate_reached(f))
    std::fprintf(stderr, "oslo-msg: the rate was not reached: %.0f a second of %.0f.\n",
                 f.sent_rate.value_or(0), f.wanted_rate.value_or(0));
  return f.first_error ? report(*f.first_error) : done;
}

constexpr const char* explanation = R"(
  call    calls to echo, --in-flight at a time; every answer is compared with what was sent. With
          --body int typed calls to int add(a, b), as an application makes them; the sum is checked
  cast    casts to hit, each waiting for the bus to take it, --in-flight at a time
  notify  notifications (messagingv2), each waiting for the bus to take it; a listener takes them
          out again afterwards and counts
  fanout  casts to --servers servers; the time ends when each has had them all
  drain   fills the queue with --count casts first, then times the server alone
  memory  --in-flight calls that nobody answers yet: what each costs the client

Servers run in a process of their own (over fake:// in this one). Ten percent more messages warm
everything up before the clock starts, except for drain and memory. Every message is waited for;
errors are counted and make the exit status that of the first one. Nothing stays on the bus.

With --transports, calls are divided: each transport has a thread of its own and its part of
--in-flight and --count, and over fake:// also a server of its own on that thread. The time is that
from the first call to the last answer of all.

With --rate, messages leave at fixed times whatever became of those before (an open loop): a latency
counts from the moment a message was due. Percentiles of the other way, --in-flight at a time, say
little about a system under a given load, because a slow answer keeps the next message back.

The JSON has "rate" (a second), "latency_us" {"p50", "p90", "p99", "p999", "max", "curve": pairs of
fraction and latency}, "cpu_us" {"client", "server", "broker"} (user and system, a message),
"peak_memory_kib" and "connections" {"client", "server"}, "errors", and where there is one
"open_loop" {"rate", "sent", "reached"}, "taken_rate", "bytes_a_call" {"heap", "resident"}; null
where there is nothing to measure.

Example: oslo-msg --url rabbit://guest:guest@localhost/ bench call --in-flight 64 --json call.json)";

void add_helpers(CLI::App& app, program& p) {
  const auto add = [&](const char* name, auto run) {
    auto o = std::make_shared<helper_options>();
    CLI::App* hidden = app.add_subcommand(name, "A process that bench starts");
    hidden->group("");
    hidden->add_option("TOPIC", o->where.topic)->required();
    hidden->add_option("--exchange", o->where.exchange)->required();
    hidden->add_option("--count", o->count);
    hidden->add_option("--servers", o->servers);
    add_executor(*hidden, o->run_on);
    hidden->callback([&p, o, run] { p.run = [&p, o, run] { return run(p, *o); }; });
  };
  add("bench-serve", [](const program& q, const helper_options& o) {
    return run_bench_servers(q, o.where, o.servers, o.run_on);
  });
  add("bench-sink", [](const program& q, const helper_options& o) {
    return run_bench_sink(q, o.where, o.count, o.run_on);
  });
}

}  // namespace

void add_bench(CLI::App& app, program& p) {
  auto o = std::make_shared<bench_options>();
  CLI::App* command =
      app.add_subcommand("bench", "Measure calls, casts, notifications or a server over --url");
  command->footer(explanation);
  command->add_option("MODE", o->mode, "call, cast, notify, fanout, drain or memory")
      ->required()
      ->check(one_of({"call", "cast", "notify", "fanout", "drain", "memory"}));
  command->add_option("--in-flight", o->in_flight, "Messages under way at once [64]")
      ->type_name("N")
      ->check(between<std::size_t>(1, 50'000));
  command->add_option("--count", o->count, "Messages to measure [20000]")
      ->type_name("N")
      ->check(between<std::uint64_t>(2, 1'000'000'000));
  command->add_option("--seconds", o->seconds, "Measure for that long; with --count: at most")
      ->type_name("S")
      ->check(between(0.01, 86'400.0));
  command
      ->add_option("--rate", o->rate,
                   "Messages a second, at fixed times [the next when one is done]")
      ->type_name("R")
      ->check(between(0.1, 1e7));
  command
      ->add_option(
          "--body", o->body,
          "Bytes of argument in each message; simulator: 1,000 lengths as in a cloud; int: "
          "calls with two integers [100]")
      ->type_name("BYTES");
  command
      ->add_option("--callers", o->callers,
                   "What makes the calls: completions, coroutines or threads [completions]")
      ->type_name("KIND")
      ->check(one_of({"completions", "coroutines", "threads"}));
  command->add_option("--servers", o->servers, "Servers of a fanout [10]")
      ->type_name("N")
      ->check(between<std::size_t>(1, 1000));
  command
      ->add_option("--transports", o->transports,
                   "Transports with a thread each, among which calls are divided [1]")
      ->type_name("N")
      ->check(between<std::size_t>(1, 64));
  command
      ->add_option("--broker-pid", o->broker,
                   "Also report the CPU time of this process of this machine")
      ->type_name("PID");
  command->add_option("--json", o->json_file, "Write the figures to a file; -: standard output")
      ->type_name("FILE");
  add_executor(*command, o->run_on);
  command->callback([&p, o, command] {
    p.run = [&p, o, command] {
      check(*o, *command);
      return bench(p, *o);
    };
  });
  add_helpers(app, p);
}

}  // namespace oslo::messaging::cli
