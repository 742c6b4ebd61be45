// Every option of [oslo_messaging_rabbit]: those of oslo.messaging 14.0.3 and 18.3.1, and ours.
#include "drivers/rabbit/options.hpp"

namespace oslo::messaging::rabbit {
namespace {

using t = option_type;

/// Accepted, so that a file may be shared with Python.
option no_effect(option o) {
  o.effect = option_effect::none;
  return o;
}

// clang-format off
const option table[] = {
    // Exchanges and queues.
    {"amqp_durable_queues", t::boolean, "false", "Durable exchanges and topic, server and notification queues."},
    {"amqp_auto_delete", t::boolean, "false", "The same objects vanish when their last user goes.", true, false, {}, {}, {}, {"DEFAULT/amqp_auto_delete"}},
    {"rabbit_quorum_queue", t::boolean, "false", "Topic, server and notification queues are quorum queues, and they and their exchanges durable."},
    {"rabbit_transient_quorum_queue", t::boolean, "false", "Reply and fanout queues are quorum queues, and they and the fanout exchanges durable."},
    {"rabbit_quorum_delivery_limit", t::integer, "0", "How often a quorum queue delivers a message again before it drops it; 0 leaves it to the broker."},
    {"rabbit_quorum_max_memory_length", t::integer, "0", "Messages that a quorum queue keeps in memory; 0 = no limit.", true, false, {}, {}, {}, {"rabbit_quroum_max_memory_length"}},
    {"rabbit_quorum_max_memory_bytes", t::integer, "0", "The same in bytes.", true, false, {}, {}, {}, {"rabbit_quroum_max_memory_bytes"}},
    {"rabbit_ha_queues", t::boolean, "false", "Classic queues are declared with x-ha-policy=all. RabbitMQ mirrors by policy since 3.0 and ignores it.", true, false, {}, {}, {}, {"DEFAULT/rabbit_ha_queues"}},
    {"rabbit_transient_queues_ttl", t::integer, "1800", "Seconds after which an unused reply or fanout queue vanishes, and a message in a stream; 0 = never.", true, false, 0, 2147483},
    {"rabbit_stream_fanout", t::boolean, "false", "One stream for each fanout topic in place of one queue for each server. Needs rabbit_transient_quorum_queue and rabbit_qos_prefetch_count."},
    {"use_queue_manager", t::boolean, "false", "Reply and fanout queues have the same names when a service starts again, HOSTNAME:PROCESSNAME:NUMBER, and stay when it ends, until they expire."},
    {"hostname", t::string, "", "Part of the names of use_queue_manager. Not set: that of the system.", false},
    {"processname", t::string, "", "Part of the names of use_queue_manager. Not set: the name of the program.", false},
    // Messages.
    {"kombu_compression", t::string, "", "Compresses everything that is sent: gzip or zlib, bzip2 or bz2. What arrives is understood without it.", false},
    {"rabbit_qos_prefetch_count", t::integer, "0", "Messages the broker sends ahead to one listener; 0 lets the listener choose.", true, false, 0, 65535},
    {"direct_mandatory_flag", t::boolean, "true", "Ask the broker to return replies whose queue is missing."},
    {"kombu_missing_consumer_retry_timeout", t::integer, "60", "Seconds to go on trying a reply whose queue is missing.", true, false, 0, {}, {}, {"kombu_reconnect_timeout"}},
    {"enable_cancel_on_failover", t::boolean, "false", "Asks the broker to cancel consumers of a classic queue that fails over; they consume it anew."},
    // Connections.
    {"rabbit_login_method", t::string, "AMQPLAIN", "How to log in.", true, false, {}, {}, {"PLAIN", "AMQPLAIN", "EXTERNAL"}, {"DEFAULT/rabbit_login_method"}},
    {"heartbeat_timeout_threshold", t::integer, "60", "Seconds in which each side lets the other hear of it; who is silent for one and a half times as long, or answers nothing for less than twice as long, counts as dead. 0 turns heartbeats off.", true, false, 0, 65535},
    no_effect({"heartbeat_rate", t::integer, "3", "Heartbeats are sent and looked for as AMQP wants it."}),
    no_effect({"heartbeat_in_pthread", t::boolean, "false", "Heartbeats belong to the transport's loop."}),
    {"rabbit_retry_interval", t::integer, "1", "Seconds of the first pause after every broker was tried in vain.", true, false, 1},
    {"rabbit_retry_backoff", t::integer, "2", "Seconds by which the pause grows from pass to pass.", true, false, 0, {}, {}, {"DEFAULT/rabbit_retry_backoff"}},
    {"rabbit_interval_max", t::integer, "30", "Longest pause between two passes over the brokers, in seconds.", true, false, 1},
    no_effect({"kombu_reconnect_delay", t::floating, "1.0", "A lost connection is replaced at once.", true, false, 0, 4.5, {}, {"DEFAULT/kombu_reconnect_delay"}}),
    {"kombu_reconnect_splay", t::floating, "0.0", "A lost connection is replaced after a random pause of up to so many seconds; 0: at once.", true, false, 0},
    {"kombu_failover_strategy", t::string, "round-robin", "round-robin: the hosts one after the other, from one that was chosen at random. shuffle: in a new order each time.", true, false, {}, {}, {"round-robin", "shuffle"}},
    no_effect({"rpc_conn_pool_size", t::integer, "30", "A transport has two connections.", true, false, 1, {}, {}, {"DEFAULT/rpc_conn_pool_size"}}),
    no_effect({"conn_pool_min_size", t::integer, "2", "A transport has two connections.", true, false, {}, {}, {}, {"DEFAULT/conn_pool_min_size"}}),
    no_effect({"conn_pool_ttl", t::integer, "1200", "A transport has two connections.", true, false, {}, {}, {}, {"DEFAULT/conn_pool_ttl"}}),
    // TLS.
    {"ssl", t::boolean, "false", "Use TLS.", true, false, {}, {}, {}, {"rabbit_use_ssl"}},
    {"ssl_version", t::string, "", "Empty or sslv23: TLS 1.2 or newer. tlsv1_2: that one only. Older ones are refused.", true, false, {}, {}, {}, {"kombu_ssl_version"}},
    {"ssl_ca_file", t::string, "", "Certificates that may have signed the broker's; empty: those of the system.", true, false, {}, {}, {}, {"kombu_ssl_ca_certs"}},
    {"ssl_cert_file", t::string, "", "Client certificate.", true, false, {}, {}, {}, {"kombu_ssl_certfile"}},
    {"ssl_key_file", t::string, "", "Key of the client certificate.", true, false, {}, {}, {}, {"kombu_ssl_keyfile"}},
    {"ssl_enforce_hostname_verification", t::boolean, "true", "false: the certificate may be for another host; who signed it is checked all the same."},
    no_effect({"ssl_enforce_fips_mode", t::boolean, "false", "That is a matter of the configuration of OpenSSL."}),
    // Ours. A file may hold them for Python, too, which ignores them.
    {"cpp_insecure_accept_any_certificate", t::boolean, "false", "INSECURE: the broker's certificate is not checked at all, so that anybody on the way can pose as the broker, and read the password and all messages. A warning says so."},
    {"cpp_unacknowledged_replies", t::boolean, "false", "The broker forgets a reply once it has sent it: a little faster, and replies on their way are lost with the connection; their calls time out."},
    {"cpp_notification_queues", t::string, "declare", "declare: a notifier makes sure that the queue of its topic exists, as Python does. none: it only publishes, and what no queue is bound for is gone.", true, false, {}, {}, {"declare", "none"}},
    {"cpp_notification_ttl", t::integer, "0", "Seconds after which the broker drops a notification that nobody took; 0 = never.", true, false, 0, 4294967},
    {"cpp_notification_max_length", t::integer, "0", "Messages that the queue of a topic and priority holds; 0 = no bound.", true, false, 0, 4294967295.0},
    {"cpp_notification_max_bytes", t::integer, "0", "The same in bytes of their bodies.", true, false, 0, 9007199254740991.0},
    {"cpp_notification_overflow", t::string, "drop-head", "What gives way in a full queue: drop-head: the oldest message. reject-publish: the new one, which its notifier learns.", true, false, {}, {}, {"drop-head", "reject-publish"}},
    {"cpp_notification_reader_check", t::integer, "60", "Seconds between two looks whether somebody reads the queues that notifications are published to; 0 = none.", true, false, 0, 86400},
};
// clang-format on

}  // namespace

std::span<const option> option_table() {
  return table;
}

}  // namespace oslo::messaging::rabbit
