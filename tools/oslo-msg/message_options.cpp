#include "message_options.hpp"

#include <CLI/CLI.hpp>
#include <chrono>

#include "option_kinds.hpp"

namespace oslo::messaging::cli {
namespace {

// A week: longer waits are mistakes, and far from what a clock can count.
constexpr double most_seconds = 7 * 24 * 3600.0;

}  // namespace

void add_destination(CLI::App& command, message_options& o) {
  command.add_option("TOPIC", o.topic, "Topic of the servers")->required()->check(filled());
  command.add_option("--server", o.server, "One server of the topic [any]")
      ->type_name("NAME")
      ->check(filled());
  command.add_option("--exchange", o.exchange, "Exchange [control_exchange: openstack]")
      ->type_name("NAME")
      ->check(filled());
  command
      .add_option("--timeout", o.timeout,
                  "Total time in seconds [rpc_response_timeout: 60; cast: no limit]")
      ->type_name("S")
      ->check(between(0.0, most_seconds));
  command
      .add_option("--retry", o.retry,
                  "Attempts after the first while no broker can be reached; -1: until the time "
                  "is up [-1]")
      ->type_name("N")
      ->check(between(-1, 1'000'000));
}

void add_message(CLI::App& command, message_options& o) {
  command.add_option("METHOD", o.method, "Name of the method")->required();
  command.add_option("JSON", o.args, "Keyword arguments, a JSON object [{}]");
  command.add_option("--namespace", o.namespace_, "Namespace of the method [none]")->type_name("N");
  command.add_option("--version", o.version, "Version the server must have, as 1.2 [none]")
      ->type_name("V");
  command.add_option("--version-cap", o.version_cap, "Refuse to send above this version")
      ->type_name("V");
  command
      .add_option(
          "--call-monitor-timeout", o.call_monitor_timeout,
          "Ask for heartbeats, and give up when none comes for that many seconds (2 or more)")
      ->type_name("S")
      ->check(between(2.0, most_seconds));
  command.add_flag("--at-least-once", o.at_least_once,
                   "Fail with status 4 when no queue takes the message");
  command.add_option("--context", o.context_json, "Request context, a JSON object [{}]")
      ->type_name("JSON");
}

rpc::client message_options::make_client(const transport& bus) const {
  using std::chrono::duration;
  target to;
  to.topic = topic;
  to.server = server;
  to.exchange = exchange;
  to.namespace_ = namespace_;
  to.version = version;
  to.fanout = fanout;
  rpc::client_options options;
  options.version_cap = version_cap;
  options.retry = retry;
  options.at_least_once = at_least_once;
  if (timeout)
    options.timeout =
        std::chrono::duration_cast<std::chrono::milliseconds>(duration<double>{*timeout});
  if (call_monitor_timeout)
    options.call_monitor_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(
        duration<double>{*call_monitor_timeout});
  return {bus, to, options};
}

}  // namespace oslo::messaging::cli
