#include "drivers/rabbit/topology.hpp"

#include <cstdint>
#include <stdexcept>
#include <utility>

#include "core/shown_name.hpp"
#include "core/utf8.hpp"

namespace oslo::messaging::rabbit {
namespace {

void check_name(const char* kind, const std::string& name) {
  if (!is_utf8(name))
    throw std::invalid_argument(std::string("the ") + kind + " \"" + shown_name(name) +
                                "\" is not UTF-8.");
}

/// Python sends an integer that has room there in 32 bits, and the broker compares.
amqp091::field_value integer(std::int64_t n) {
  if (std::in_range<std::int32_t>(n)) return static_cast<std::int32_t>(n);
  return n;
}

bool is_durable(const options& o) {
  return o.durable || o.quorum.shared;
}

/// The kind of a queue, as arguments in the order in which Python writes them.
amqp091::field_table kind(const options& o, bool quorum) {
  amqp091::field_table arguments;
  if (o.mirrored) arguments.set("x-ha-policy", "all");
  if (!quorum) return arguments;
  arguments.set("x-queue-type", "quorum");
  const auto limit = [&](const char* name, std::int64_t n) {
    if (n != 0) arguments.set(name, integer(n));
  };
  limit("x-delivery-limit", o.quorum.delivery_limit);
  limit("x-max-in-memory-length", o.quorum.max_memory_length);
  limit("x-max-in-memory-bytes", o.quorum.max_memory_bytes);
  return arguments;
}

queue shared_queue(const options& o, std::string name) {
  return {std::move(name), is_durable(o), o.auto_delete, kind(o, o.quorum.shared)};
}

/// Quorum queues do not take it: no consumer of theirs is lost when they fail over.
amqp091::field_table consume_arguments(const options& o, bool quorum) {
  if (!o.cancel_on_failover || quorum) return {};
  return {{"x-cancel-on-ha-failover", true}};
}

/// Notifiers and listeners have to declare it alike, whoever comes first.
queue notification_queue(const options& o, std::string name) {
  auto q = shared_queue(o, std::move(name));
  const auto& n = o.notifications;
  if (n.max_length > 0) q.arguments.set("x-max-length", n.max_length);
  if (n.max_bytes > 0) q.arguments.set("x-max-length-bytes", n.max_bytes);
  if ((n.max_length > 0 || n.max_bytes > 0) && n.reject_publish)
    q.arguments.set("x-overflow", "reject-publish");
  return q;
}

/// Private queues outlive a lost connection, and vanish when nobody comes back for them.
queue transient_queue(const options& o, std::string name) {
  queue q{std::move(name), o.quorum.transient, false, kind(o, o.quorum.transient)};
  if (o.transient_ttl.count() > 0)
    q.arguments.set("x-expires", static_cast<std::int32_t>(o.transient_ttl.count() * 1000));
  return q;
}

}  // namespace

void check_names(const source& s) {
  check_name("exchange", s.from.name);
  check_name("queue", s.to.name);
  for (const auto& key : s.binding_keys) check_name("binding key", key);
}

void check_names(const destination& d) {
  check_name("exchange", d.to.name);
  if (d.ensure_queue) check_name("queue", d.ensure_queue->name);
}

std::string destination::text() const {
  return to.name.empty() ? shown_name(routing_key)
                         : shown_name(to.name) + "/" + shown_name(routing_key);
}

exchange topic_exchange(const options& o, std::string exchange_name) {
  return {std::move(exchange_name), "topic", is_durable(o), o.auto_delete};
}

exchange fanout_exchange(const options& o, const std::string& topic) {
  return {topic + "_fanout", "fanout", o.quorum.transient, true};
}

namespace {

/// One for all servers of the topic. They read it side by side; only its age ends a message.
source stream_source(const options& o, const std::string& topic) {
  const auto fanout = fanout_exchange(o, topic);
  queue q{fanout.name, true, false, {{"x-queue-type", "stream"}}};
  if (o.transient_ttl.count() > 0)
    q.arguments.set("x-max-age", std::to_string(o.transient_ttl.count()) + "s");
  return {fanout, std::move(q), {topic}, false, false, {}, false, true};
}

source fanout_source(const options& o, const std::string& topic, const std::string& unique) {
  if (o.stream_fanout) return stream_source(o, topic);
  const auto fanout = fanout_exchange(o, topic);
  return {fanout,
          transient_queue(o, fanout.name + "_" + unique),
          {topic},
          !o.names.has_value(),
          false,
          consume_arguments(o, o.quorum.transient),
          o.names.has_value()};
}

}  // namespace

std::vector<source> server_sources(const options& o, const std::string& exchange_name,
                                   const std::string& topic, const std::string& server,
                                   const std::string& unique) {
  const auto shared = topic_exchange(o, exchange_name);
  const auto directed = topic + "." + server;
  const auto how = consume_arguments(o, o.quorum.shared);
  return {{shared, shared_queue(o, topic), {topic}, false, false, how},
          {shared, shared_queue(o, directed), {directed}, false, false, how},
          fanout_source(o, topic, unique)};
}

source reply_source(const options& o, const std::string& unique) {
  return {{},
          transient_queue(o, "reply_" + unique),
          {},
          !o.names.has_value(),
          o.unacknowledged_replies,
          consume_arguments(o, o.quorum.transient),
          o.names.has_value()};
}

source notification_source(const options& o, const std::string& exchange_name,
                           const std::string& topic_and_priority) {
  return {topic_exchange(o, exchange_name),
          notification_queue(o, topic_and_priority),
          {topic_and_priority},
          false,
          false,
          consume_arguments(o, o.quorum.shared)};
}

source pool_source(const options& o, const std::string& exchange_name, const std::string& pool,
                   std::vector<std::string> topics_and_priorities) {
  return {topic_exchange(o, exchange_name),
          shared_queue(o, pool),
          std::move(topics_and_priorities),
          false,
          false,
          consume_arguments(o, o.quorum.shared)};
}

destination topic_destination(const options& o, std::string exchange_name, std::string topic) {
  return {topic_exchange(o, std::move(exchange_name)), std::move(topic), {}};
}

destination server_destination(const options& o, std::string exchange_name,
                               const std::string& topic, const std::string& server) {
  return {topic_exchange(o, std::move(exchange_name)), topic + "." + server, {}};
}

destination fanout_destination(const options& o, const std::string& topic) {
  return {fanout_exchange(o, topic), "", {}};
}

destination reply_destination(std::string reply_queue) {
  return {{}, std::move(reply_queue), {}};
}

destination notification_destination(const options& o, std::string exchange_name,
                                     const std::string& topic_and_priority, bool keep) {
  destination d{topic_exchange(o, std::move(exchange_name)), topic_and_priority, {}};
  if (o.notifications.declare || keep) d.ensure_queue = notification_queue(o, topic_and_priority);
  if (!keep) d.message_ttl = o.notifications.ttl;
  return d;
}

}  // namespace oslo::messaging::rabbit
