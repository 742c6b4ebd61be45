// What an examination sees of exchanges and queues.
#include <algorithm>

#include "core/shown_name.hpp"
#include "drivers/rabbit/examiner.hpp"
#include "drivers/rabbit/mismatch.hpp"
#include "drivers/rabbit/trials.hpp"

namespace oslo::messaging::rabbit {

using outcome = probe::outcome;

namespace {

/// RabbitMQ's words for a queue that there is, behind its name: it says 404, too.
bool is_out_of_reach(std::string_view words) {
  for (const std::string_view end :
       {"is down or inaccessible", "process is stopped by supervisor",
        "has crashed and failed to restart", "due to timeout", "may be stopping or being demoted"})
    if (words.ends_with(end)) return true;
  return false;
}

}  // namespace

examiner::exchange_use& examiner::use_of(const exchange& x) {
  const auto it =
      std::ranges::find(exchanges_, x.name, [](const exchange_use& u) { return u.what.name; });
  return it != exchanges_.end() ? *it : exchanges_.emplace_back(exchange_use{x});
}

/// What programs of these roles declare, publish to and consume.
void examiner::plan() {
  const bool client = what_.has(bus_role::client), server = what_.has(bus_role::server),
             notifier = what_.has(bus_role::notifier), listener = what_.has(bus_role::listener);
  const auto exchange_of = [this](const target& t) {
    return t.exchange.value_or(control_exchange_);
  };
  const auto uses = [this](const exchange& x, bool publishes) {
    auto& u = use_of(x);
    u.declares = true;
    u.publishes |= publishes;
  };
  if (client) {
    uses(topic_exchange(o_, control_exchange_), true);
    queues_.push_back({reply_source(o_, unique_), true, true});
  }
  for (const auto& t : what_.topics) {
    // The name of a server is not known: its own queue is left out.
    const auto sources = server_sources(o_, exchange_of(t), *t.topic, unique_, unique_);
    queues_.push_back({sources[0], server, server, queue_use::kind::requests, client});
    if (server) queues_.push_back({sources[2], true, true});
    if (client || server)
      for (const auto& s : {sources[0], sources[2]}) uses(s.from, client);
  }
  for (const auto& n : what_.notifications) {
    const auto s = notification_source(o_, exchange_of(n.where), *n.where.topic + "." + n.priority);
    queues_.push_back({s, notifier || listener, listener, queue_use::kind::notifications, false,
                       n.priority == what_.notifications.front().priority});
    if (notifier || listener) uses(s.from, notifier);
  }
}

void examiner::look_at_objects(probe& p) {
  for (const auto& u : exchanges_) {
    if (time_is_up() || !p.is_up()) return;
    if (!u.what.name.empty()) look_at_exchange(p, u);
  }
  for (const auto& u : queues_) {
    if (time_is_up() || !p.is_up()) return;
    look_at_queue(p, u);
  }
}

bool examiner::broken(probe& p, const probe::answer& a, const std::string& subject) {
  if (a.what == outcome::done || a.what == outcome::blocked) return false;
  if (a.what == outcome::refused && a.why.from == amqp091::close_reason::origin::local) {
    add(severity::error, subject, "It cannot be asked for: " + a.why.text);
    return true;
  }
  if (a.what == outcome::refused && p.is_up()) return false;
  const auto words = p.lost() ? p.lost()->message() : "The broker did not answer in time.";
  add(severity::error, subject, words,
      "Look at the log of the broker: what this is asked for hangs, or ends connections.");
  return true;
}

void examiner::check_permission(const probe::answer& a, const std::string& subject,
                                const std::string& name, const char* kind) {
  if (!a.refused(access_refused)) return;
  add(severity::error, subject, net::to_failure(a.why, broker_).message(),
      std::string("The user's pattern for \"") + kind + "\" has to match " + name +
          " (rabbitmqctl set_permissions -p VHOST USER CONFIGURE WRITE READ).");
}

/// With our arguments, of what is there. `ours`: the program itself has to do it.
void examiner::declare(probe& p, const std::string& subject, const std::string& name,
                       const probe::question& q, bool ours) {
  const auto a = p.ask(q, step());
  if (broken(p, a, subject)) return;
  if (ours) check_permission(a, subject, name, "configure");
  if (a.what == outcome::done) add(severity::ok, subject, "It is as this configuration wants it.");
  if (a.refused(precondition_failed))
    add(severity::error, subject, net::to_failure(a.why, broker_).message(), remedy(a.why.text));
}

bool examiner::is_a_name(const std::string& subject, const std::string& name) {
  if (is_utf8(name)) return true;
  add(severity::error, subject, "Its name is not UTF-8, over which RabbitMQ ends a connection.");
  return false;
}

void examiner::look_at_exchange(probe& p, const exchange_use& u) {
  const auto subject = "exchange " + shown_name(u.what.name);
  if (!is_a_name(subject, u.what.name)) return;
  const auto there = p.ask(look_at(u.what), step());
  if (broken(p, there, subject)) return;
  if (there.what == outcome::done)
    return declare(p, subject, u.what.name, declaration_of(u.what), u.declares);
  if (!rabbitmq_) return;
  const auto a = p.ask(trial_declaration(u.what), step());
  if (!broken(p, a, subject)) check_permission(a, subject, u.what.name, "configure");
}

void examiner::look_at_queue(probe& p, const queue_use& u) {
  const auto& q = u.from.to;
  const auto subject = "queue " + shown_name(q.name);
  if (!is_a_name(subject, q.name) || !is_utf8(u.from.from.name)) return;
  const auto there = p.ask(look_at(q), step());
  if (broken(p, there, subject)) return;
  if (there.what == outcome::done) {
    count_readers(u, there);
    if (u.declares || u.is == queue_use::kind::notifications)
      declare(p, subject, q.name, declaration_of(q), u.declares);
  } else if (there.refused(resource_locked)) {
    add(severity::error, subject, net::to_failure(there.why, broker_).message(),
        "Another connection has it for itself: a queue of another program has this name.");
  } else if (!there.refused(not_found) || is_out_of_reach(there.why.text)) {
    add(severity::error, subject, net::to_failure(there.why, broker_).message(),
        "Bring the node back that the queue is on, or delete the queue.");
  } else {
    nobody_has_read(u);
    if (!u.typical) return;
    if (rabbitmq_ && u.declares) {
      const auto a = p.ask(trial_declaration(q), step());
      if (broken(p, a, subject)) return;
      check_permission(a, subject, q.name, "configure");
    }
  }
  if (!rabbitmq_) return;
  if (u.declares && !u.from.from.name.empty()) {
    const auto a = p.ask(trial_binding(u.from, unique_), step());
    if (broken(p, a, subject)) return;
    const bool exchange = a.why.text.find("exchange '") != std::string::npos;
    check_permission(a, subject, exchange ? u.from.from.name : q.name, exchange ? "read" : "write");
  }
  if (u.consumes) {
    const auto a = p.ask(trial_consumer(q), step());
    if (!broken(p, a, subject)) check_permission(a, subject, q.name, "read");
  }
}

void examiner::count_readers(const queue_use& u, const probe::answer& a) {
  const auto subject = "queue " + shown_name(u.from.to.name);
  const auto counts = "It holds " + std::to_string(a.messages) + " messages and has " +
                      std::to_string(a.consumers) + " consumers.";
  if (a.consumers != 0 || (a.messages == 0 && !u.called)) return add(severity::ok, subject, counts);
  if (u.is == queue_use::kind::requests)
    return add(severity::warning, subject, counts + " No server takes requests from it.",
               "Start a server of this topic: calls wait until their time is up.");
  add(severity::warning, subject, counts + " Nobody reads it.",
      "Start a listener, or see options cpp_notification_ttl, cpp_notification_max_length and "
      "cpp_notification_queues; what nobody wants can be purged.");
}

void examiner::nobody_has_read(const queue_use& u) {
  if (u.is == queue_use::kind::requests && u.called)
    add(severity::warning, "queue " + shown_name(u.from.to.name),
        "There is no such queue: no server has ever served this topic in this virtual host.",
        "Start the server first; topic and virtual host have to be the same on both sides.");
}

}  // namespace oslo::messaging::rabbit
