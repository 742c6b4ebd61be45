// Every option of [oslo_messaging_kafka]: those of oslo.messaging 14.0.3 and 18.3.1, and ours.
#include "drivers/kafka/options.hpp"

namespace oslo::messaging::kafka {
namespace {

using t = option_type;

/// Accepted, so that a file may be shared with Python.
option no_effect(option o) {
  o.effect = option_effect::none;
  return o;
}

// clang-format off
const option table[] = {
    // Listeners.
    {"consumer_group", t::string, "oslo_messaging_consumer", "The consumer group of listeners without a pool; a pool is the group of its name."},
    {"enable_auto_commit", t::boolean, "false", "true: offsets of acknowledged messages are committed by librdkafka, every 5 s. false: by the driver, after cpp_commit_interval."},
    {"max_poll_records", t::integer, "500", "Messages that a listener takes out of librdkafka at once.", true, false, 1, 100000},
    {"kafka_max_fetch_bytes", t::integer, "1048576", "Bytes of each partition that one fetch asks for; a larger message comes alone.", true, false, 1, 1000000000},
    no_effect({"kafka_consumer_timeout", t::floating, "1.0", "Nothing here polls."}),
    // Notifiers.
    {"producer_batch_timeout", t::floating, "0.0", "Seconds that a message waits for others to share its request.", true, false, 0, 900},
    {"producer_batch_size", t::integer, "16384", "Messages of one request at most.", true, false, 1, 1000000},
    {"compression_codec", t::string, "none", "Compresses everything that is sent. What arrives is understood without it.", true, false, {}, {}, {"none", "gzip", "snappy", "lz4", "zstd"}},
    // Connections.
    {"security_protocol", t::string, "PLAINTEXT", "How brokers are spoken to; SSL is TLS.", true, false, {}, {}, {"PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL"}},
    {"sasl_mechanism", t::string, "PLAIN", "How to log in with a SASL_ protocol: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER (cpp_oauthbearer_token_file) and what else librdkafka was built with. User name and password are those of the URL's first host."},
    {"ssl_cafile", t::string, "", "Certificates that may have signed the broker's; empty: those of the system."},
    {"ssl_client_cert_file", t::string, "", "Client certificate."},
    {"ssl_client_key_file", t::string, "", "Key of the client certificate."},
    {"ssl_client_key_password", t::string, "", "Password of that key.", true, true},
    no_effect({"pool_size", t::integer, "10", "A transport has one producer, a listener one consumer."}),
    no_effect({"conn_pool_min_size", t::integer, "2", "Likewise."}),
    no_effect({"conn_pool_ttl", t::integer, "1200", "Likewise."}),
    // Ours. A file may hold them for Python, too, which ignores them.
    {"cpp_auto_offset_reset", t::string, "earliest", "Where a consumer group begins in a partition that it has never committed: earliest: with what the broker still has. latest: with what comes from now on, as Python does.", true, false, {}, {}, {"earliest", "latest"}},
    {"cpp_oauthbearer_token_file", t::string, "", "A file with the token (JWT) for sasl_mechanism = OAUTHBEARER. Somebody else renews it there; it is read again after 80 % of the time that the last one had."},
    {"cpp_commit_interval", t::floating, "0.1", "Seconds after which an acknowledged message is committed at the latest: so much comes again when the process dies.", true, false, 0, 3600},
};
// clang-format on

}  // namespace

std::span<const option> option_table() {
  return table;
}

}  // namespace oslo::messaging::kafka
