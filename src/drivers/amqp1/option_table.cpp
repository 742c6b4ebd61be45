// Every option of [oslo_messaging_amqp], as oslo.messaging 14.0.3 has them.
#include "drivers/amqp1/options.hpp"

namespace oslo::messaging::amqp1 {
namespace {

using t = option_type;

/// Accepted, so that a file may be shared with Python.
option no_effect(option o) {
  o.effect = option_effect::none;
  return o;
}
/// Any value but the default is an error.
option refused(option o) {
  o.effect = option_effect::refused;
  return o;
}

// clang-format off
const option table[] = {
    // Connections.
    {"container_name", t::string, "", "Name of this process for the broker's operator. Not set: openstack.org/om/container/HOST/PROGRAM/PID/ID.", false, false, {}, {}, {}, {"amqp1/container_name"}},
    {"idle_timeout", t::integer, "0", "Seconds of silence after which the other side counts as dead; 0 = never.", true, false, 0, 2147483, {}, {"amqp1/idle_timeout"}},
    {"trace", t::boolean, "false", "Log every frame, at level debug.", true, false, {}, {}, {}, {"amqp1/trace"}},
    {"connection_retry_interval", t::integer, "1", "Seconds of the first pause after every broker was tried in vain.", true, false, 1},
    {"connection_retry_backoff", t::integer, "2", "By how much the pause is multiplied from pass to pass.", true, false, 0},
    {"connection_retry_interval_max", t::integer, "30", "Longest pause between two passes over the brokers, in seconds.", true, false, 1},
    no_effect({"link_retry_delay", t::integer, "10", "A link that was lost, or a message that came back, is tried again after 0.25 s.", true, false, 1}),
    // TLS.
    {"ssl", t::boolean, "false", "Use TLS. So does a file of certificates below."},
    {"ssl_ca_file", t::string, "", "Certificates that may have signed the broker's; empty: those of the system.", true, false, {}, {}, {}, {"amqp1/ssl_ca_file"}},
    {"ssl_cert_file", t::string, "", "Client certificate.", true, false, {}, {}, {}, {"amqp1/ssl_cert_file"}},
    {"ssl_key_file", t::string, "", "Key of the client certificate.", true, false, {}, {}, {}, {"amqp1/ssl_key_file"}},
    {"ssl_key_password", t::string, "", "Password of that key.", false, true, {}, {}, {}, {"amqp1/ssl_key_password"}},
    {"ssl_verify_vhost", t::boolean, "false", "The broker's certificate has to name the virtual host of the URL in place of the host."},
    // Login.
    {"sasl_mechanisms", t::string, "", "How to log in, between blanks: EXTERNAL, PLAIN, ANONYMOUS. Empty: PLAIN with a user name in the URL, else ANONYMOUS, and EXTERNAL before them with a client certificate.", true, false, {}, {}, {}, {"amqp1/sasl_mechanisms"}},
    refused({"sasl_config_dir", t::string, "", "Cyrus SASL is not used.", true, false, {}, {}, {}, {"amqp1/sasl_config_dir"}}),
    refused({"sasl_config_name", t::string, "", "Cyrus SASL is not used.", true, false, {}, {}, {}, {"amqp1/sasl_config_name"}}),
    {"sasl_default_realm", t::string, "", "Appended to a user name without one, as NAME@REALM."},
    // Messages.
    {"default_reply_retry", t::integer, "0", "How often a reply that came back is sent again; -1 = until its time is over.", true, false, -1},
    {"default_reply_timeout", t::integer, "30", "Seconds to go on trying to send a reply.", true, false, 5},
    {"default_send_timeout", t::integer, "30", "Seconds for a cast that has no timeout of its own.", true, false, 5},
    {"default_notify_timeout", t::integer, "30", "Seconds for a notification that has no timeout of its own.", true, false, 5},
    {"default_sender_link_timeout", t::integer, "600", "Seconds after which a link that sends nothing is closed.", true, false, 1},
    {"reply_link_credit", t::integer, "200", "Replies that the broker sends ahead.", true, false, 1, 1000000},
    {"rpc_server_credit", t::integer, "100", "Requests that the broker sends ahead to one RPC server, of each of its three addresses, unless the server says so itself.", true, false, 1, 1000000},
    {"notify_server_credit", t::integer, "100", "Notifications that the broker sends ahead to one listener, of each topic and priority, unless the listener says so itself.", true, false, 1, 1000000},
    {"pre_settled", t::multi_string, "rpc-cast,rpc-reply", "Messages that the broker does not confirm, which is faster and may lose them: rpc-call, rpc-reply, rpc-cast, notify."},
    // Addresses.
    {"addressing_mode", t::string, "dynamic", "legacy, routable, or dynamic: legacy for qpidd, Qpid Broker-J and brokers without a name, routable for all others.", true, false, {}, {}, {"legacy", "routable", "dynamic"}},
    {"pseudo_vhost", t::boolean, "true", "The virtual host of the URL is part of each address; false: it is named when the connection is opened."},
    {"server_request_prefix", t::string, "exclusive", "Begins the address of one server; mode legacy.", true, false, {}, {}, {}, {"amqp1/server_request_prefix"}},
    {"broadcast_prefix", t::string, "broadcast", "Begins the address of all servers; mode legacy.", true, false, {}, {}, {}, {"amqp1/broadcast_prefix"}},
    {"group_request_prefix", t::string, "unicast", "Begins the address of a topic; mode legacy.", true, false, {}, {}, {}, {"amqp1/group_request_prefix"}},
    {"rpc_address_prefix", t::string, "openstack.org/om/rpc", "Begins all addresses of RPC; mode routable."},
    {"notify_address_prefix", t::string, "openstack.org/om/notify", "Begins all addresses of notifications; mode routable."},
    {"multicast_address", t::string, "multicast", "In the address of all servers; mode routable."},
    {"unicast_address", t::string, "unicast", "In the address of one server; mode routable."},
    {"anycast_address", t::string, "anycast", "In the address of a topic; mode routable."},
    {"default_notification_exchange", t::string, "", "Exchange of notifications whose target has none; mode routable. Not set: control_exchange.", false},
    {"default_rpc_exchange", t::string, "", "Exchange of RPC whose target has none; mode routable. Not set: control_exchange.", false},
};
// clang-format on

}  // namespace

std::span<const option> option_table() {
  return table;
}

}  // namespace oslo::messaging::amqp1
