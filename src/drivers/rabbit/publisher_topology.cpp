// What a publisher declares before it publishes.
#include "drivers/rabbit/publisher.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr amqp091::request_id declaring = 1;  ///< exchange.declare, queue.bind
constexpr amqp091::request_id feeding = 2;    ///< queue.declare, whose answer counts readers

}  // namespace

/// Pipelined: the broker handles the declare before the publish that follows it.
void publisher::ensure_destination(lane& l, route& r, const destination& to, instant now) {
  if (to.to.name.empty()) return;
  if (r.exchange_on != l.life) {
    check_names(to);
    if (!foreign_.contains(to.to.name) && l.declared.insert(to.to.name).second) {
      link_.machine().exchange_declare(l.channel, declaring, to.to.name, to.to.type, false,
                                       to.to.durable, to.to.auto_delete, {});
      l.asked.push_back({to.to.name});
    }
    r.exchange_on = l.life;
  }
  if (!to.ensure_queue) return;
  const auto& name = to.ensure_queue->name;
  if (r.queue_on == l.life) {
    if (readers_.due(name, now)) declare_queue(l, to, true);
    return;
  }
  // One that vanishes with its readers is not to be made again behind their back.
  if (!to.ensure_queue->auto_delete) readers_.feeds(name, now);
  declare_queue(l, to, false);
  r.queue_on = l.life;
}

/// The answer tells how many read it. Of a queue with other properties only that is asked.
void publisher::declare_queue(lane& l, const destination& to, bool again) {
  const auto& q = *to.ensure_queue;
  if (foreign_.contains(q.name))
    link_.machine().queue_declare(l.channel, feeding, q.name, true, false, false, false, {});
  else
    link_.machine().queue_declare(l.channel, feeding, q.name, false, q.durable, false,
                                  q.auto_delete, q.arguments);
  link_.machine().queue_bind(l.channel, declaring, q.name, to.to.name, to.routing_key);
  for (int i = 0; i < 2; ++i) l.asked.push_back({to.to.name, q.name, again});
}

void publisher::on_request_ok(amqp091::channel_id ch, amqp091::request_id request,
                              std::string_view name, std::uint32_t messages,
                              std::uint32_t consumers) {
  auto* const l = lane_of(ch);
  if (l == nullptr || (request != declaring && request != feeding)) return;
  if (!l->asked.empty()) l->asked.pop_front();
  if (request != feeding) return;
  if (const auto text = readers_.answered(name, messages, consumers, link_.now()))
    link_.log()(log_level::warning, "[publish] " + *text + " Start a listener, or see options " +
                                        "cpp_notification_ttl, _max_length and _queues.");
}

}  // namespace oslo::messaging::rabbit
