#include "drivers/rabbit/options.hpp"

#include "core/saturating.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr auto group = "oslo_messaging_rabbit";
constexpr std::uint16_t default_port = 5672;

using t = option_type;

// Only options that have an effect here: an unknown key in a URL is an error, and one that would be
// ignored must not look as if it worked.
// clang-format off
const option table[] = {
    {"amqp_durable_queues", t::boolean, "false", "Durable exchanges and topic, server and notification queues."},
    {"amqp_auto_delete", t::boolean, "false", "The same objects vanish when their last user goes."},
    {"rabbit_login_method", t::string, "AMQPLAIN", "How to log in.", true, false, {}, {}, {"PLAIN", "AMQPLAIN", "EXTERNAL"}},
    {"heartbeat_timeout_threshold", t::integer, "60", "Seconds of silence after which the other side counts as dead are twice this; 0 turns heartbeats off.", true, false, 0, 65535},
    {"kombu_missing_consumer_retry_timeout", t::integer, "60", "Seconds to go on trying a reply whose queue is missing.", true, false, 0, {}, {}, {"kombu_reconnect_timeout"}},
    {"rabbit_retry_interval", t::integer, "1", "Seconds of the first pause after every broker was tried in vain.", true, false, 1},
    {"rabbit_retry_backoff", t::integer, "2", "Accepted for old files; pauses double and are randomised.", true, false, 0},
    {"rabbit_interval_max", t::integer, "30", "Longest pause between two passes over the brokers, in seconds.", true, false, 1},
    {"rabbit_transient_queues_ttl", t::integer, "1800", "Seconds after which an unused reply or fanout queue vanishes; 0 = never.", true, false, 0, 2147483},
    {"rabbit_qos_prefetch_count", t::integer, "0", "Messages the broker sends ahead to one listener; 0 lets the listener choose.", true, false, 0, 65535},
    {"direct_mandatory_flag", t::boolean, "true", "Ask the broker to return replies whose queue is missing."},
    {"ssl", t::boolean, "false", "Use TLS.", true, false, {}, {}, {}, {"rabbit_use_ssl"}},
    {"ssl_ca_file", t::string, "", "Certificates that may have signed the broker's; empty: those of the system.", true, false, {}, {}, {}, {"kombu_ssl_ca_certs"}},
    {"ssl_cert_file", t::string, "", "Client certificate.", true, false, {}, {}, {}, {"kombu_ssl_certfile"}},
    {"ssl_key_file", t::string, "", "Key of the client certificate.", true, false, {}, {}, {}, {"kombu_ssl_keyfile"}},
    {"ssl_enforce_hostname_verification", t::boolean, "true", "false: accept any certificate of the broker."},
    // Ours. A file may hold them for Python, too, which ignores them.
    {"cpp_unacknowledged_replies", t::boolean, "false", "The broker forgets a reply once it has sent it: a little faster, and replies on their way are lost with the connection; their calls time out."},
    {"cpp_notification_queues", t::string, "declare", "declare: a notifier makes sure that the queue of its topic exists, as Python does. none: it only publishes, and what no queue is bound for is gone.", true, false, {}, {}, {"declare", "none"}},
    {"cpp_notification_ttl", t::integer, "0", "Seconds after which the broker drops a notification that nobody took; 0 = never.", true, false, 0, 4294967},
    {"cpp_notification_max_length", t::integer, "0", "Messages that the queue of a topic and priority holds; 0 = no bound.", true, false, 0, 4294967295.0},
    {"cpp_notification_max_bytes", t::integer, "0", "The same in bytes of their bodies.", true, false, 0, 9007199254740991.0},
    {"cpp_notification_overflow", t::string, "drop-head", "What gives way in a full queue: drop-head: the oldest message. reject-publish: the new one, which its notifier learns.", true, false, {}, {}, {"drop-head", "reject-publish"}},
    {"cpp_notification_reader_check", t::integer, "60", "Seconds between two looks whether somebody reads the queues that notifications are published to; 0 = none.", true, false, 0, 86400},
};
// clang-format on

std::vector<net::broker> brokers_of(const transport_url& url) {
  std::vector<net::broker> all;
  for (const auto& h : url.hosts)
    all.push_back({{h.hostname.value_or("localhost"), h.port.value_or(default_port)},
                   h.username.value_or("guest"),
                   h.password.value_or("guest")});
  if (all.empty()) all.push_back({{"localhost", default_port}});
  return all;
}

}  // namespace

std::span<const option> option_table() {
  return table;
}

options read_options(const config& conf, const transport_url& url, std::string_view client_name) {
  const option_values v(group, table, conf, url.query, redacted(url));
  options o;
  o.durable = v.boolean("amqp_durable_queues");
  o.auto_delete = v.boolean("amqp_auto_delete");
  o.transient_ttl = std::chrono::seconds(v.integer("rabbit_transient_queues_ttl"));
  o.prefetch = static_cast<std::uint16_t>(v.integer("rabbit_qos_prefetch_count"));
  o.mandatory_replies = v.boolean("direct_mandatory_flag");
  o.unacknowledged_replies = v.boolean("cpp_unacknowledged_replies");
  o.missing_reply_queue_timeout = up_to_a_year(v.integer("kombu_missing_consumer_retry_timeout"));

  o.notifications = {v.string("cpp_notification_queues") == "declare",
                     std::chrono::seconds(v.integer("cpp_notification_ttl")),
                     v.integer("cpp_notification_max_length"),
                     v.integer("cpp_notification_max_bytes"),
                     v.string("cpp_notification_overflow") == "reject-publish",
                     std::chrono::seconds(v.integer("cpp_notification_reader_check"))};

  auto& link = o.link;
  link.brokers = brokers_of(url);
  link.amqp.mechanism = v.string("rabbit_login_method");
  link.amqp.vhost = url.virtual_host && !url.virtual_host->empty() ? *url.virtual_host : "/";
  link.amqp.heartbeat = static_cast<std::uint16_t>(v.integer("heartbeat_timeout_threshold"));
  link.amqp.client_properties.set("product", "oslo.messaging for C++");
  link.amqp.client_properties.set("platform", "C++20");
  link.amqp.client_properties.set("connection_name", std::string(client_name));
  link.tls.enabled = v.boolean("ssl");
  link.tls.ca_file = v.string("ssl_ca_file");
  link.tls.cert_file = v.string("ssl_cert_file");
  link.tls.key_file = v.string("ssl_key_file");
  link.tls.verify = v.boolean("ssl_enforce_hostname_verification");
  link.backoff.initial = up_to_a_year(v.integer("rabbit_retry_interval"));
  link.backoff.cap = up_to_a_year(v.integer("rabbit_interval_max"));
  return o;
}

}  // namespace oslo::messaging::rabbit
