// serve: a server with a few methods to try a bus with.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <oslo/messaging/rpc/server.hpp>
#include <string>

#include "executor_options.hpp"
#include "exit_status.hpp"
#include "option_kinds.hpp"
#include "output.hpp"
#include "served_methods.hpp"
#include "signals.hpp"

namespace oslo::messaging::cli {
namespace {

struct serve_options {
  target where;
  std::optional<std::string> namespace_, version;
  executor_options run_on{"threads"};
  std::size_t prefetch = 0;
  bool ping = false;
  unsigned drain_seconds = 60;
};

constexpr const char* methods = R"(
Methods:
  echo(**kw)                   returns kw as it came
  add(a, b)                    returns a + b
  sleep(seconds)               returns seconds, that much later
  fail(module, type, message)  raises that exception
  context()                    returns the context of the request
  hit(**kw)                    counts
  hits()                       returns how many hits there were

Prints "ready" once the bus has confirmed the subscription. SIGTERM and SIGINT end it: it takes
nothing more, finishes what is running and exits with 0, or with 3 when that takes longer than
the drain timeout; a second one ends it at once.

Example: oslo-msg serve calc --server host1 --executor threads --workers 8 --ping)";

int serve(const program& p, const serve_options& o) {
  const signals operator_says;  // before any thread starts
  const auto run_on = o.run_on.make();
  transport bus = p.open();
  target accepts;
  accepts.namespace_ = o.namespace_;
  accepts.version = o.version;
  rpc::server_options options;
  options.executor = run_on;
  options.ping = o.ping;
  options.prefetch = o.prefetch;
  rpc::server server{
      bus, o.where, {std::make_shared<served_methods>(accepts, bus.shared_loop())}, options};

  if (const auto started = start(server, operator_says); !started) return report(started.error());
  print("ready\n");

  while (operator_says.wait() != signals::event::interrupted) {
  }
  const std::chrono::seconds drain_limit(o.drain_seconds);
  const auto drained = std::make_shared<std::promise<bool>>();
  auto all = drained->get_future();
  server.async_drain(drain_limit, [drained, &operator_says](bool in_time) {
    drained->set_value(in_time);
    operator_says.wake();
  });
  // The loop keeps that time, unless a line of the log holds it up.
  const auto event = operator_says.wait_for(drain_limit + std::chrono::seconds(1));
  if (event == signals::event::interrupted) _exit(128 + SIGTERM);
  if (!event || !all.get()) {
    complain(std::to_string(server.running()) + " requests were still being handled after " +
             std::to_string(o.drain_seconds) + " s.");
    _exit(timed_out);
  }
  bus.close();
  return done;
}

}  // namespace

void add_serve(CLI::App& app, program& p) {
  auto o = std::make_shared<serve_options>();
  CLI::App* command = app.add_subcommand("serve", "Serve methods to try a bus with");
  command->footer(methods);
  command->add_option("TOPIC", o->where.topic, "Topic to serve")->required()->check(filled());
  command->add_option("--server", o->where.server, "Name of this server")
      ->type_name("NAME")
      ->check(filled())
      ->required();
  command->add_option("--exchange", o->where.exchange, "Exchange [control_exchange: openstack]")
      ->type_name("NAME")
      ->check(filled());
  command->add_option("--namespace", o->namespace_, "Namespace of the methods [none]")
      ->type_name("N");
  command->add_option("--version", o->version, "Version of the methods [1.0]")->type_name("V");
  add_executor(*command, o->run_on);
  command
      ->add_option("--prefetch", o->prefetch,
                   "Messages held ready beyond those running [the driver's choice]")
      ->type_name("N")
      ->check(between<std::size_t>(1, 65'535));
  command
      ->add_option("--drain-timeout", o->drain_seconds,
                   "Seconds that SIGTERM waits for what is running [60]")
      ->type_name("S")
      ->check(between(0u, 86'400u));
  command->add_flag("--ping", o->ping, "Answer oslo-msg ping");
  command->callback([&p, o] { p.run = [&p, o] { return serve(p, *o); }; });
}

}  // namespace oslo::messaging::cli
