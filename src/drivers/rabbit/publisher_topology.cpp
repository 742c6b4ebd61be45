// What a publisher declares before it publishes.
#include "drivers/rabbit/publisher.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr amqp091::request_id declaring = 1;  ///< exchange.declare, queue.bind
constexpr amqp091::request_id feeding = 2;    ///< queue.declare, whose answer counts readers

}  // namespace

/// Pipelined: the broker handles the declare before the publish that follows it.
void publisher::ensure_destination(route& r, const destination& to, instant now) {
  if (to.to.name.empty()) return;
  if (r.exchange_on != life_) {
    check_names(to);
    if (!foreign_.contains(to.to.name) && declared_.insert(to.to.name).second) {
      link_.machine().exchange_declare(channel_, declaring, to.to.name, to.to.type, false,
                                       to.to.durable, to.to.auto_delete, {});
      asked_.push_back({to.to.name});
    }
    r.exchange_on = life_;
  }
  if (!to.ensure_queue) return;
  const auto& name = to.ensure_queue->name;
  if (r.queue_on == life_) {
    if (readers_.due(name, now)) declare_queue(to, true);
    return;
  }
  // One that vanishes with its readers is not to be made again behind their back.
  if (!to.ensure_queue->auto_delete) readers_.feeds(name, now);
  declare_queue(to, false);
  r.queue_on = life_;
}

/// The answer tells how many read it. Of a queue with other properties only that is asked.
void publisher::declare_queue(const destination& to, bool again) {
  const auto& q = *to.ensure_queue;
  if (foreign_.contains(q.name))
    link_.machine().queue_declare(channel_, feeding, q.name, true, false, false, false, {});
  else
    link_.machine().queue_declare(channel_, feeding, q.name, false, q.durable, false, q.auto_delete,
                                  q.arguments);
  link_.machine().queue_bind(channel_, declaring, q.name, to.to.name, to.routing_key);
  for (int i = 0; i < 2; ++i) asked_.push_back({to.to.name, q.name, again});
}

void publisher::on_request_ok(amqp091::channel_id ch, amqp091::request_id request,
                              std::string_view name, std::uint32_t messages,
                              std::uint32_t consumers) {
  if (ch != channel_ || (request != declaring && request != feeding)) return;
  if (!asked_.empty()) asked_.pop_front();
  if (request != feeding) return;
  if (const auto text = readers_.answered(name, messages, consumers, link_.now()))
    link_.log()(log_level::warning, "[publish] " + *text + " Start a listener, or see options " +
                                        "cpp_notification_ttl, _max_length and _queues.");
}

}  // namespace oslo::messaging::rabbit
