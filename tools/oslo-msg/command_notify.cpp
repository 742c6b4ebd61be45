// notify: one notification, and whether the bus has it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>
#include <oslo/messaging/blocking/notifier.hpp>
#include <oslo/messaging/json.hpp>
#include <string>
#include <vector>

#include "exit_status.hpp"
#include "json_argument.hpp"
#include "option_kinds.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {
namespace {

struct notify_options {
  std::string event_type, payload, context_json = "{}", priority = "info", driver = "messagingv2";
  std::vector<std::string> topics;
  std::optional<std::string> publisher_id;
  std::optional<int> retry;
};

int send(const program& p, const notify_options& o) {
  const raw_json payload{read_json("JSON", o.payload)};
  context ctxt = read_context(o.context_json);
  const transport bus = p.open_for_notifications();
  notify::notifier_options options;
  options.publisher_id = o.publisher_id;
  options.drivers = std::vector<std::string>{o.driver};
  if (!o.topics.empty()) options.topics = o.topics;
  options.retry = o.retry;
  options.redact = notify::whole_context;  // who types a context wants it to travel
  const auto report =
      blocking::notifier(bus, options)
          .notify(*notify::parse_priority(o.priority), std::move(ctxt), o.event_type, payload);
  return report ? done : cli::report(report.error());
}

}  // namespace

void add_notify(CLI::App& app, program& p) {
  auto o = std::make_shared<notify_options>();
  CLI::App* command = app.add_subcommand("notify", "Send a notification; done when the bus has it");
  command->footer(
      "\nExample: oslo-msg notify compute.start '{\"id\": 1}' --priority info --topic "
      "notifications");
  command->add_option("EVENT_TYPE", o->event_type, "What has happened, as compute.start")
      ->required();
  command->add_option("JSON", o->payload, "Payload, any JSON value")->required();
  repeatable(command->add_option("--topic", o->topics,
                                 "Topic; may be repeated [option topics: notifications]"))
      ->type_name("T")
      ->check(filled());
  command
      ->add_option("--priority", o->priority,
                   "audit, debug, info, warn, error, critical or sample [info]")
      ->type_name("P")
      ->check(one_of({"audit", "debug", "info", "warn", "error", "critical", "sample"}));
  command->add_option("--publisher-id", o->publisher_id, "Who tells [none]")->type_name("ID");
  command->add_option("--driver", o->driver, "messaging (1.0) or messagingv2 (2.0) [messagingv2]")
      ->type_name("NAME")
      ->check(one_of({"messaging", "messagingv2"}));
  command
      ->add_option("--retry", o->retry,
                   "Attempts after the first while no broker can be reached; -1: for ever [option "
                   "retry: -1]")
      ->type_name("N")
      ->check(between(-1, 1'000'000));
  command->add_option("--context", o->context_json, "Request context, a JSON object [{}]")
      ->type_name("JSON");
  command->callback([&p, o] { p.run = [&p, o] { return send(p, *o); }; });
}

}  // namespace oslo::messaging::cli
