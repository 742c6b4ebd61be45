// call, cast and ping: one message, and what came of it.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>

#include "ask.hpp"
#include "exit_status.hpp"
#include "json_argument.hpp"
#include "message_options.hpp"
#include "output.hpp"

namespace oslo::messaging::cli {
namespace {

int call(const program& p, const message_options& o) {
  const std::string args = read_json_object("JSON", o.args);
  context ctxt = read_context(o.context_json);
  transport bus = p.open();
  const auto answer = call_text(o.make_client(bus), o.method, std::move(ctxt), args);
  if (!answer) return report(answer.error());
  print(one_line(*answer) + "\n");
  return done;
}

int cast(const program& p, const message_options& o) {
  const std::string args = read_json_object("JSON", o.args);
  context ctxt = read_context(o.context_json);
  transport bus = p.open();
  const auto sent = cast_text(o.make_client(bus), o.method, std::move(ctxt), args);
  return sent ? done : report(sent.error());
}

int ping(const program& p, const message_options& o) {
  using clock = std::chrono::steady_clock;
  transport bus = p.open();
  const rpc::client client = o.make_client(bus);
  const auto begin = clock::now();
  const auto answer = call_text(client, "oslo_rpc_server_ping", {}, "{}");
  if (!answer) return report(answer.error());
  const std::chrono::duration<double, std::milli> elapsed = clock::now() - begin;
  char took[32];
  std::snprintf(took, sizeof took, " %.2f ms\n", elapsed.count());
  print(one_line(*answer) + took);
  return done;
}

}  // namespace

void add_call(CLI::App& app, program& p) {
  auto o = std::make_shared<message_options>();
  CLI::App* command = app.add_subcommand("call", "Call a method and print its result as JSON");
  command->footer("\nExample: oslo-msg call calc add '{\"a\": 1, \"b\": 2}' --timeout 5");
  add_destination(*command, *o);
  add_message(*command, *o);
  command->callback([&p, o] { p.run = [&p, o] { return call(p, *o); }; });
}

void add_cast(CLI::App& app, program& p) {
  auto o = std::make_shared<message_options>();
  CLI::App* command =
      app.add_subcommand("cast", "Send without waiting for an answer; done when the bus has it");
  command->footer("\nExample: oslo-msg cast calc hit '{}' --fanout");
  add_destination(*command, *o);
  add_message(*command, *o);
  command->add_flag("--fanout", o->fanout, "To every server of the topic");
  command->callback([&p, o] { p.run = [&p, o] { return cast(p, *o); }; });
}

void add_ping(CLI::App& app, program& p) {
  auto o = std::make_shared<message_options>();
  CLI::App* command = app.add_subcommand(
      "ping", "Ask a server that has rpc_ping_enabled (or --ping) whether it is there");
  command->footer("\nExample: oslo-msg ping calc --server host1 --timeout 2");
  add_destination(*command, *o);
  command->callback([&p, o] { p.run = [&p, o] { return ping(p, *o); }; });
}

}  // namespace oslo::messaging::cli
