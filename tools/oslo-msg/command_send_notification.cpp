// send-notification: the flags of Python's oslo-messaging-send-notification.
#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <oslo/messaging/blocking/notifier.hpp>
#include <string>
#include <vector>

#include "exit_status.hpp"
#include "option_kinds.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {
namespace {

struct send_notification_options {
  std::string payload, event_type = "test", priority = "info", driver = "messagingv2";
  std::vector<std::string> topics;
  std::optional<std::string> publisher_id;
};

int send(const program& p, const send_notification_options& o) {
  const transport bus = p.open_for_notifications();
  notify::notifier_options options;
  options.publisher_id = o.publisher_id;
  options.drivers = std::vector<std::string>{o.driver};
  if (!o.topics.empty()) options.topics = o.topics;
  options.lower_case_priority = true;
  // Without a word about it in the file one attempt, as the original makes when it connects.
  if (bus.conf().find("oslo_messaging_notifications", "retry").empty()) options.retry = 0;
  const auto report = blocking::notifier(bus, options)
                          .notify(*notify::parse_priority(o.priority), {}, o.event_type, o.payload);
  return report ? done : cli::report(report.error());
}

}  // namespace

void define_send_notification(CLI::App& command, program& p) {
  auto o = std::make_shared<send_notification_options>();
  command.footer(R"(
The flags of Python's oslo-messaging-send-notification; oslo-msg has them under that name, too.
The exit status tells whether the bus has the message (Python's is 0 in any case).

Example: oslo-msg send-notification --event-type compute.start '{"id": 1}')");
  command.add_option("PAYLOAD", o->payload, "The payload, sent as a string whatever it looks like")
      ->required();
  command.add_option("--transport-url", p.url, "Transport URL [as configured]")->type_name("URL");
  command.add_option("--publisher-id", o->publisher_id, "Who tells [none]")->type_name("ID");
  command.add_option("--event-type", o->event_type, "What has happened [test]")->type_name("TYPE");
  command
      .add_option("--topic", o->topics,
                  "Topics, several after one --topic [option topics: notifications]")
      ->type_name("T...")
      ->expected(0, -1);
  command
      .add_option("--priority", o->priority, "info, audit, warn, error, critical or sample [info]")
      ->type_name("P")
      ->check(one_of({"info", "audit", "warn", "error", "critical", "sample"}));
  command
      .add_option("--driver", o->driver,
                  "log, messaging, messagingv2, noop, routing or test [messagingv2]")
      ->type_name("NAME")
      ->check(one_of({"log", "messaging", "messagingv2", "noop", "routing", "test"}));
  command.callback([&p, o] { p.run = [&p, o] { return send(p, *o); }; });
}

void add_send_notification(CLI::App& app, program& p) {
  define_send_notification(
      *app.add_subcommand("send-notification", "notify with the flags of Python's tool"), p);
}

}  // namespace oslo::messaging::cli
