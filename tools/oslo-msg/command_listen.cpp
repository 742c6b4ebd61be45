// listen: prints notifications, a line each.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify/listener.hpp>
#include <span>
#include <string>
#include <vector>

#include "exit_status.hpp"
#include "json_argument.hpp"
#include "option_kinds.hpp"
#include "output.hpp"
#include "program.hpp"
#include "signals.hpp"

namespace oslo::messaging::cli {
namespace {

struct listen_command_options {
  std::vector<std::string> topics, priorities;
  std::optional<std::string> exchange, pool;
  std::optional<std::size_t> batch_size;
  std::optional<double> batch_timeout;  ///< seconds
  std::size_t requeue_first = 0;
  std::optional<std::size_t> count;
  notify::filter_rules wanted;
};

/// KEY=EXPRESSION, into `rules`.
void add_rule(std::map<std::string, std::string>& rules, const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw CLI::ValidationError("\"" + text + "\" is not KEY=EXPRESSION");
  rules[text.substr(0, equals)] = text.substr(equals + 1);
}

void add_text(std::string& line, const std::optional<std::string>& text) {
  if (text)
    write_json(line, *text);
  else
    line += "null";
}

std::string line_of(const notify::notification& n) {
  std::string line = "{\"priority\": ";
  write_json(line, notify::to_string(n.priority));
  line += ", \"publisher_id\": ";
  add_text(line, n.publisher_id);
  line += ", \"event_type\": ";
  add_text(line, n.event_type);
  line += ", \"payload\": " + one_line(n.payload_json);
  line += ", \"metadata\": {\"message_id\": ";
  add_text(line, n.message_id);
  line += ", \"timestamp\": ";
  add_text(line, n.timestamp);
  line += "}, \"context\": ";
  write_json(line, n.ctxt);
  return line + "}\n";
}

/// Prints what it gets until it has printed enough; what comes later goes back to the bus. Called
/// from one thread.
class printer : public notify::endpoint {
 public:
  printer(const listen_command_options& o, const signals& to_wake)
      : endpoint(o.wanted), left_(o.count), requeue_(o.requeue_first), to_wake_(to_wake) {
    for (const auto p : notify::all_priorities) {
      const auto name = notify::to_string(p);
      if (!o.priorities.empty() &&
          std::find(o.priorities.begin(), o.priorities.end(), name) == o.priorities.end())
        continue;
      if (o.batch_size || o.batch_timeout)
        bind_batch(p, &printer::on_batch);
      else
        bind(p, &printer::on_one);
    }
  }
  bool enough() const { return enough_; }
  /// True while a line waits to be taken.
  bool printing() const { return printing_; }
  /// What kept it from printing. Once it prints no more.
  const std::optional<output_error>& trouble() const { return trouble_; }

 private:
  notify::outcome on_one(const notify::notification& n) { return on_batch({&n, 1}); }
  /// A batch is printed or given back as a whole.
  notify::outcome on_batch(std::span<const notify::notification> batch) {
    if (enough_) return notify::outcome::requeue;
    std::string text;
    for (const auto& n : batch) text += line_of(n);
    printing_ = true;
    try {
      print(text);
    } catch (const output_error& e) {
      trouble_ = e;
      printing_ = false;
      end();
      return notify::outcome::requeue;
    }
    printing_ = false;
    if (left_) {
      *left_ -= std::min(*left_, batch.size());
      if (*left_ == 0) end();
    }
    if (requeue_ == 0) return notify::outcome::handled;
    requeue_ -= std::min(requeue_, batch.size());
    return notify::outcome::requeue;
  }

  void end() {
    enough_ = true;
    to_wake_.wake();
  }

  std::optional<std::size_t> left_;
  std::size_t requeue_;
  const signals& to_wake_;
  std::optional<output_error> trouble_{};
  std::atomic<bool> enough_{false};
  std::atomic<bool> printing_{false};
};

/// What stands in the way of an end is a line that nobody reads, or a broker that says nothing.
constexpr std::chrono::seconds end_patience{3};
/// The loop keeps that time, unless a line of the log holds it up.
constexpr std::chrono::seconds loop_margin{1};

bool end_within(std::chrono::seconds limit, notify::listener& l, const signals& operator_says) {
  const auto ended = std::make_shared<std::promise<bool>>();
  auto all = ended->get_future();
  l.async_drain(limit, [ended, &operator_says](bool in_time) {
    ended->set_value(in_time);
    operator_says.wake();
  });
  const auto event = operator_says.wait_for(limit + loop_margin);
  if (!event) return false;
  if (*event == signals::event::interrupted) _exit(128 + SIGTERM);
  return all.wait_for(loop_margin) == std::future_status::ready && all.get();
}

int listen(const program& p, const listen_command_options& o) {
  const signals operator_says;  // before any thread starts
  transport bus = p.open_for_notifications();
  std::vector<target> targets;
  for (const auto& topic : o.topics) {
    target on;
    on.topic = topic;
    on.exchange = o.exchange;
    targets.push_back(std::move(on));
  }
  notify::listener_options options;
  options.executor = thread_pool(1);  // lines in the order of arrival
  options.allow_requeue = true;
  options.pool = o.pool;
  if (o.batch_size || o.batch_timeout) {
    options.batch.emplace();
    if (o.batch_size) options.batch->size = *o.batch_size;
    if (o.batch_timeout)
      options.batch->timeout = std::chrono::ceil<std::chrono::milliseconds>(
          std::chrono::duration<double>(*o.batch_timeout));
  }
  const auto prints = std::make_shared<printer>(o, operator_says);
  notify::listener l{bus, std::move(targets), {prints}, options};

  if (const auto started = start(l, operator_says); !started) return report(started.error());
  std::fputs("ready\n", stderr);
  while (!prints->enough() && operator_says.wait() != signals::event::interrupted) {
  }
  if (!end_within(end_patience, l, operator_says)) {
    // The broker gives what was not acknowledged to somebody else when the connection ends.
    const bool stalled = prints->printing();
    if (!stalled && !prints->trouble()) _exit(done);
    complain(stalled ? "standard output: it takes nothing any more" : prints->trouble()->what());
    _exit(unwritten);
  }
  bus.close();
  if (prints->trouble()) throw *prints->trouble();
  return done;
}

}  // namespace

void add_listen(CLI::App& app, program& p) {
  auto o = std::make_shared<listen_command_options>();
  CLI::App* command = app.add_subcommand("listen", "Print notifications, one JSON line each");
  command->footer(R"(
A line has the keys priority, publisher_id, event_type, payload, metadata and context. "ready" on
standard error says that the bus has confirmed the subscription. SIGTERM and SIGINT end it with 0.
A message is taken from the bus once its line is written; what cannot be written is given back, and
ends it with 6, as a signal does while nobody reads what is written.
RE is a regular expression that the beginning of the text has to match, as Python's re.match; a
message that does not match is taken and not printed.

Example: oslo-msg listen notifications --priority info --priority error --pool audit)");
  command->add_option("TOPIC", o->topics, "Topics to listen on")->required()->check(filled());
  repeatable(command->add_option(
                 "--priority", o->priorities,
                 "audit, debug, info, warn, error, critical or sample; may be repeated [all]"))
      ->type_name("P")
      ->check(one_of({"audit", "debug", "info", "warn", "error", "critical", "sample"}));
  command->add_option("--exchange", o->exchange, "Exchange [control_exchange: openstack]")
      ->type_name("NAME")
      ->check(filled());
  command->add_option("--pool", o->pool, "Share the messages with other listeners of this pool")
      ->type_name("NAME")
      ->check(filled());
  command
      ->add_option("--batch-size", o->batch_size,
                   "Take messages in batches of up to N [100 if there is a --batch-timeout]")
      ->type_name("N")
      ->check(between<std::size_t>(1, 10'000));
  command
      ->add_option("--batch-timeout", o->batch_timeout,
                   "Seconds that the first message of a batch waits for others [1 if there is a "
                   "--batch-size]")
      ->type_name("S")
      ->check(between(0.001, 86'400.0));
  command->add_option("--publisher-id", o->wanted.publisher_id, "Only from these publishers")
      ->type_name("RE");
  command->add_option("--event-type", o->wanted.event_type, "Only events of these types")
      ->type_name("RE");
  const auto rules = [command](const char* name, std::map<std::string, std::string>& into,
                               const char* help) {
    const auto add = [&into](const std::vector<std::string>& all) {
      for (const auto& one : all) add_rule(into, one);
    };
    repeatable(command->add_option_function<std::vector<std::string>>(name, add, help))
        ->type_name("KEY=RE");
  };
  rules("--payload", o->wanted.payload, "Only where that key of the payload matches");
  rules("--metadata", o->wanted.metadata, "The same for message_id and timestamp");
  rules("--context", o->wanted.context, "The same for the context");
  command
      ->add_option("--requeue-first", o->requeue_first,
                   "Print the first N and give them back to the bus [0]")
      ->type_name("N")
      ->check(between<std::size_t>(0, 1'000'000'000));
  command->add_option("--count", o->count, "End after N lines [never]")
      ->type_name("N")
      ->check(between<std::size_t>(1, 1'000'000'000));
  command->callback([&p, o] { p.run = [&p, o] { return listen(p, *o); }; });
}

}  // namespace oslo::messaging::cli
