// Every option of [oslo_messaging_zmq] of oslo.messaging 8.1.4, and ours.
#include "drivers/zmq/options.hpp"

namespace oslo::messaging::zmq {
namespace {

using t = option_type;

/// Accepted, so that a file may be shared with Python.
option no_effect(option o) {
  o.effect = option_effect::none;
  return o;
}

// clang-format off
const option table[] = {
    // Who is where.
    {"rpc_zmq_matchmaker", t::string, "redis", "Who knows where servers are, for zmq:// without a +: redis; sentinel is refused. dummy: this process alone. static: the hosts of the URL. ipc: the files of rpc_zmq_ipc_dir.", true, false, {}, {}, {"redis", "sentinel", "dummy", "static", "ipc"}},
    {"rpc_zmq_host", t::string, "", "The name under which clients find the servers of this process; empty: that of the host."},
    {"rpc_zmq_bind_address", t::string, "*", "The address that servers listen at; *: all of the host."},
    {"rpc_zmq_min_port", t::integer, "49153", "The ports that a server chooses one from: the first.", true, false, 1, 65535},
    {"rpc_zmq_max_port", t::integer, "65536", "The one behind the last.", true, false, 2, 65536},
    {"rpc_zmq_bind_port_retries", t::integer, "100", "How many ports are tried, each chosen by chance.", true, false, 1, 100000},
    {"rpc_zmq_ipc_dir", t::string, "/var/run/openstack", "The folder for the sockets of zmq+ipc://. Who may use it may call."},
    {"zmq_target_expire", t::integer, "300", "Seconds that Redis keeps the servers of a topic after the last one has said that it is there; -1: for ever.", true, false, -1, 31536000},
    no_effect({"zmq_target_update", t::integer, "180", "Each server says so every cpp_alive_interval."}),
    // Connections.
    {"zmq_linger", t::integer, "-1", "Seconds that closing waits for what libzmq has not sent. -1: one second, never for ever.", true, false, -1, 60},
    {"zmq_tcp_keepalive", t::integer, "-1", "Keepalive of TCP: 1 on, 0 off, -1 as the system has it.", true, false, -1, 1},
    {"zmq_tcp_keepalive_idle", t::integer, "-1", "Seconds of silence before it begins; -1: as the system has it.", true, false, -1, 32767},
    {"zmq_tcp_keepalive_cnt", t::integer, "-1", "Probes without an answer until the connection is dead; likewise.", true, false, -1, 32767},
    {"zmq_tcp_keepalive_intvl", t::integer, "-1", "Seconds between them; likewise.", true, false, -1, 32767},
    no_effect({"zmq_immediate", t::boolean, "true", "Always: nothing is sent to a server that is not connected."}),
    no_effect({"zmq_failover_connections", t::integer, "2", "All servers of a topic are connected."}),
    no_effect({"rpc_zmq_contexts", t::integer, "1", "A transport has one."}),
    no_effect({"rpc_zmq_topic_backlog", t::integer, "", "What a listener holds is its prefetch."}),
    no_effect({"rpc_poll_timeout", t::integer, "1", "Nothing here polls."}),
    no_effect({"rpc_thread_pool_size", t::integer, "100", "Handlers run where the server's executor says."}),
    // What goes over the wire.
    {"rpc_zmq_serialization", t::string, "json", "The form of bodies. msgpack is refused.", true, false, {}, {}, {"json", "msgpack"}},
    {"use_pub_sub", t::boolean, "false", "Fanout through a proxy. true is refused: there is no proxy here."},
    {"use_router_proxy", t::boolean, "false", "All through a proxy. true is refused likewise."},
    {"use_dynamic_connections", t::boolean, "false", "Connections that close when they are idle. true is refused."},
    no_effect({"rpc_use_acks", t::boolean, "false", "Peers of this library always acknowledge, those of Python never."}),
    no_effect({"rpc_message_ttl", t::integer, "300", "Of those acknowledgements."}),
    no_effect({"rpc_ack_timeout_base", t::integer, "15", "Likewise."}),
    no_effect({"rpc_ack_timeout_multiplier", t::integer, "2", "Likewise."}),
    no_effect({"rpc_retry_attempts", t::integer, "3", "Likewise."}),
    no_effect({"subscribe_on", t::list, "", "Of publishers behind a proxy."}),
    // Ours. A file may hold them for Python, too, which ignores them.
    {"cpp_alive_interval", t::floating, "2.0", "Seconds between two words of a server that it is there, to Redis. After three without one no client looks for it.", true, false, 0.1, 60},
    {"cpp_curve_secret_key_file", t::string, "", "CURVE: a file with this process's secret key as 40 letters of Z85. Servers with one refuse whoever has none."},
    {"cpp_curve_server_key_file", t::string, "", "CURVE: a file with the public key of the servers; clients refuse servers with another one."},
    {"cpp_curve_client_keys_file", t::string, "", "CURVE: a file with the public keys of the clients that servers let in, one a line. Servers with a secret key need it."},
};
// clang-format on

}  // namespace

std::span<const option> option_table() {
  return table;
}

}  // namespace oslo::messaging::zmq
