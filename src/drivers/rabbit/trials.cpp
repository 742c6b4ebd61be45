#include "drivers/rabbit/trials.hpp"

namespace oslo::messaging::rabbit {
namespace {

using amqp091::channel_id;
using amqp091::connection;
using amqp091::field_table;
constexpr auto asking = probe::asking;

}  // namespace

probe::question look_at(const exchange& x) {
  return [x](connection& c, channel_id ch) {
    c.exchange_declare(ch, asking, x.name, x.type, true, x.durable, x.auto_delete, {});
  };
}
probe::question look_at(const queue& q) {
  return [q](connection& c, channel_id ch) {
    c.queue_declare(ch, asking, q.name, true, false, false, false, {});
  };
}

probe::question declaration_of(const exchange& x) {
  return [x](connection& c, channel_id ch) {
    c.exchange_declare(ch, asking, x.name, x.type, false, x.durable, x.auto_delete, {});
  };
}
probe::question declaration_of(const queue& q) {
  return [q](connection& c, channel_id ch) {
    c.queue_declare(ch, asking, q.name, false, q.durable, false, q.auto_delete, q.arguments);
  };
}

probe::question trial_declaration(const exchange& x) {
  return [x](connection& c, channel_id ch) {
    c.exchange_declare(ch, asking, x.name, x.type, false, x.durable, x.auto_delete,
                       {{"alternate-exchange", std::int32_t{0}}});
  };
}
probe::question trial_declaration(const queue& q) {
  return [q](connection& c, channel_id ch) {
    c.queue_declare(ch, asking, q.name, false, true, false, false,
                    {{"x-dead-letter-exchange", std::int32_t{0}}});
  };
}

probe::question trial_binding(const source& s, const std::string& unique) {
  return [s, unique](connection& c, channel_id ch) {
    c.queue_unbind(ch, asking, s.to.name, s.from.name, unique);
  };
}

probe::question trial_consumer(const queue& q) {
  return [q](connection& c, channel_id ch) {
    c.basic_consume(ch, asking, q.name, "trial", false, false, {{"x-priority", "none"}});
  };
}

probe::question trial_message(const std::string& exchange, const std::string& unique) {
  return [exchange, unique](connection& c, channel_id ch) {
    amqp091::properties p;
    p.expiration = "none";
    c.publish(ch, exchange, unique, false, p, "");
    c.basic_qos(ch, asking, 1, false);  // answered when the message was taken
  };
}

probe::question trial_transient_queue(const std::string& unused_name) {
  return [unused_name](connection& c, channel_id ch) {
    c.queue_declare(ch, asking, unused_name, false, false, false, true,
                    {{"x-queue-type", "quorum"}});
  };
}

}  // namespace oslo::messaging::rabbit
