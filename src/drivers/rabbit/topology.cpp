#include "drivers/rabbit/topology.hpp"

#include <stdexcept>

#include "core/utf8.hpp"

namespace oslo::messaging::rabbit {
namespace {

void check_name(const char* kind, const std::string& name) {
  if (!is_utf8(name))
    throw std::invalid_argument(std::string("the ") + kind + " \"" + to_valid_utf8(name) +
                                "\" is not UTF-8.");
}

queue shared_queue(const options& o, std::string name) {
  return {std::move(name), o.durable, o.auto_delete, {}};
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
  queue q{std::move(name), false, false, {}};
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
  return to.name.empty() ? routing_key : to.name + "/" + routing_key;
}

exchange topic_exchange(const options& o, std::string exchange_name) {
  return {std::move(exchange_name), "topic", o.durable, o.auto_delete};
}

exchange fanout_exchange(const std::string& topic) {
  return {topic + "_fanout", "fanout", false, true};
}

std::vector<source> server_sources(const options& o, const std::string& exchange_name,
                                   const std::string& topic, const std::string& server,
                                   const std::string& unique) {
  const auto shared = topic_exchange(o, exchange_name);
  const auto fanout = fanout_exchange(topic);
  const auto directed = topic + "." + server;
  return {{shared, shared_queue(o, topic), {topic}, false},
          {shared, shared_queue(o, directed), {directed}, false},
          {fanout, transient_queue(o, fanout.name + "_" + unique), {topic}, true}};
}

source reply_source(const options& o, const std::string& unique) {
  return {{}, transient_queue(o, "reply_" + unique), {}, true, o.unacknowledged_replies};
}

source notification_source(const options& o, const std::string& exchange_name,
                           const std::string& topic_and_priority) {
  return {topic_exchange(o, exchange_name),
          notification_queue(o, topic_and_priority),
          {topic_and_priority},
          false};
}

source pool_source(const options& o, const std::string& exchange_name, const std::string& pool,
                   std::vector<std::string> topics_and_priorities) {
  return {topic_exchange(o, exchange_name), shared_queue(o, pool), std::move(topics_and_priorities),
          false};
}

destination topic_destination(const options& o, std::string exchange_name, std::string topic) {
  return {topic_exchange(o, std::move(exchange_name)), std::move(topic), {}};
}

destination server_destination(const options& o, std::string exchange_name,
                               const std::string& topic, const std::string& server) {
  return {topic_exchange(o, std::move(exchange_name)), topic + "." + server, {}};
}

destination fanout_destination(const std::string& topic) {
  return {fanout_exchange(topic), "", {}};
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
