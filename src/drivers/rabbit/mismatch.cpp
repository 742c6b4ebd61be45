#include "drivers/rabbit/mismatch.hpp"

#include <array>

#include "drivers/rabbit/blame.hpp"

namespace oslo::messaging::rabbit {
namespace {

struct responsible {
  std::string_view argument, option;
};

/// Which option decides what we declare.
constexpr std::array options_of{
    responsible{"durable", "amqp_durable_queues (or rabbit_quorum_queue)"},
    responsible{"auto_delete", "amqp_auto_delete"},
    responsible{"x-expires", "rabbit_transient_queues_ttl"},
    responsible{"x-max-length", "cpp_notification_max_length"},
    responsible{"x-max-length-bytes", "cpp_notification_max_bytes"},
    responsible{"x-overflow", "cpp_notification_overflow"},
    responsible{"x-ha-policy", "rabbit_ha_queues"},
    responsible{"x-queue-type", "rabbit_quorum_queue"},
    responsible{"x-delivery-limit", "rabbit_quorum_delivery_limit"},
    responsible{"x-max-in-memory-length", "rabbit_quorum_max_memory_length"},
    responsible{"x-max-in-memory-bytes", "rabbit_quorum_max_memory_bytes"}};

bool ends_with_fanout(std::string_view name) {
  return name.ends_with("_fanout") || name.find("_fanout_") != std::string_view::npos;
}

/// Takes what stands between the next two quotes.
std::optional<std::string> quoted(std::string_view& rest) {
  const auto begin = rest.find('\'');
  if (begin == std::string_view::npos) return std::nullopt;
  const auto end = rest.find('\'', begin + 1);
  if (end == std::string_view::npos) return std::nullopt;
  std::string text(rest.substr(begin + 1, end - begin - 1));
  rest.remove_prefix(end + 1);
  return text;
}

bool take(std::string_view& rest, std::string_view expected) {
  if (!rest.starts_with(expected)) return false;
  rest.remove_prefix(expected.size());
  return true;
}

/// "'true'", "none", or "the value '10' of type 'signedint'".
std::optional<std::string> value_of(std::string_view& rest) {
  if (take(rest, "none")) return "none";
  const bool typed = take(rest, "the value ");
  auto text = quoted(rest);
  if (typed && take(rest, " of type ")) quoted(rest);
  return text;
}

std::string option_of(const mismatch& m) {
  const bool fanout = ends_with_fanout(m.name);
  if (fanout && m.argument == "durable") return "rabbit_transient_quorum_queue";
  if (m.argument == "x-max-age") return "rabbit_transient_queues_ttl";
  // The other properties of fanout objects are fixed, whatever the options say.
  const bool fixed = fanout && m.argument != "x-expires";
  for (const auto& o : options_of)
    if (o.argument == m.argument && !fixed) return std::string(o.option);
  return {};
}

}  // namespace

std::optional<mismatch> read_mismatch(std::string_view words) {
  constexpr std::string_view mark = "inequivalent arg ";
  const auto at = words.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  auto rest = words.substr(at + mark.size());
  mismatch m;
  auto argument = quoted(rest);
  if (!argument || !take(rest, " for ")) return std::nullopt;
  m.argument = std::move(*argument);
  const auto blank = rest.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  m.kind = rest.substr(0, blank);
  rest.remove_prefix(blank);
  auto name = quoted(rest);
  if (!name || !take(rest, " in vhost ") || !quoted(rest) || !take(rest, ": received "))
    return std::nullopt;
  m.name = std::move(*name);
  auto ours = value_of(rest);
  if (!ours || !take(rest, " but current is ")) return std::nullopt;
  auto theirs = value_of(rest);
  if (!theirs) return std::nullopt;
  m.ours = std::move(*ours);
  m.theirs = std::move(*theirs);
  return m;
}

std::string options_of_durable_queues() {
  return "in [oslo_messaging_rabbit] of all programs set amqp_durable_queues (or "
         "rabbit_quorum_queue) for topics, servers and notifications, and "
         "rabbit_transient_quorum_queue for replies and fanouts.";
}

std::string remedy(std::string_view words) {
  if (forbids_transient_queues(words))
    return "The broker refuses queues that are neither durable nor exclusive: " +
           options_of_durable_queues();
  const auto m = read_mismatch(words);
  if (!m) return {};
  auto text = "The " + m->kind + " " + m->name + " exists with " + m->argument + " = " + m->theirs +
              ", this program wants " + m->ours + ": ";
  if (const auto option = option_of(*m); !option.empty())
    text += "give option " + option +
            " of [oslo_messaging_rabbit] the same value in all programs "
            "that use it, or delete the " +
            m->kind + ".";
  else
    text += "delete the " + m->kind + ", or have all programs that use it declare it alike.";
  return text;
}

failure explained(failure why) {
  if (why.code() != errc::precondition_failed) return why;
  const auto what = remedy(why.message());
  if (what.empty()) return why;
  auto text = why.message();
  if (!text.ends_with('.')) text += '.';
  return {why.code(), std::move(text) + " " + what, why.detail()};
}

}  // namespace oslo::messaging::rabbit
