#include "drivers/rabbit/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <oslo/messaging/error.hpp>

namespace oslo::messaging::rabbit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

options read(const std::string& lines, const char* url = "rabbit://h/") {
  return read_options(config::parse("[oslo_messaging_rabbit]\n" + lines, "f.conf"),
                      transport_url::parse(url), "me");
}

std::string error_of(const std::string& lines, const char* url = "rabbit://h/") {
  try {
    read(lines, url);
  } catch (const configuration_error& e) {
    return e.what();
  }
  return "no error";
}

TEST(rabbit_options, what_a_url_leaves_out_is_that_of_a_new_broker) {
  for (const char* url : {"rabbit:", "rabbit:///", "rabbit://localhost", "rabbit://localhost/"}) {
    const auto o = read("", url);
    ASSERT_EQ(o.link.brokers.size(), 1u) << url;
    const auto& b = o.link.brokers[0];
    EXPECT_EQ(b.where.text(), "localhost:5672") << url;
    EXPECT_EQ(b.username + " " + b.password, "guest guest") << url;
    EXPECT_EQ(o.link.amqp.vhost, "/") << url;
  }
  const auto o = read("", "rabbit://u:p@h:1/v");
  EXPECT_EQ(o.link.brokers.at(0).where.text(), "h:1");
  EXPECT_EQ(o.link.amqp.vhost, "v");
}

// ---- TLS ----------------------------------------------------------------------------------------

TEST(rabbit_options, tls_checks_chain_and_name) {
  const auto o = read("ssl = true\nssl_ca_file = ca.pem\n");
  EXPECT_TRUE(o.link.tls.enabled);
  EXPECT_EQ(o.link.tls.check, net::peer_check::chain_and_name);
  EXPECT_FALSE(o.link.tls.only_1_2);
  EXPECT_THAT(o.warnings, IsEmpty());
}

TEST(rabbit_options, without_the_check_of_the_name_the_chain_is_checked) {
  for (const char* more : {"", "ssl_ca_file = ca.pem\n"}) {
    const auto o =
        read(std::string("ssl = true\nssl_enforce_hostname_verification = false\n") + more);
    EXPECT_EQ(o.link.tls.check, net::peer_check::chain);
    EXPECT_THAT(o.warnings, IsEmpty());
  }
}

TEST(rabbit_options, one_option_alone_turns_verification_off_and_a_warning_says_so) {
  const auto o = read("ssl = true\ncpp_insecure_accept_any_certificate = true\n");
  EXPECT_EQ(o.link.tls.check, net::peer_check::nothing);
  EXPECT_THAT(o.warnings,
              ElementsAre("Option \"cpp_insecure_accept_any_certificate\" of group "
                          "[oslo_messaging_rabbit] has the value \"true\" (f.conf:3): certificates "
                          "of brokers are not checked, so anybody on the way can pose as the "
                          "broker, and read the password and all messages."));
}

TEST(rabbit_options, files_of_tls_without_tls_are_a_warning) {
  const auto o = read("ssl_ca_file = ca.pem\n");
  EXPECT_FALSE(o.link.tls.enabled);
  EXPECT_THAT(o.warnings, ElementsAre("Option \"ssl_ca_file\" of group [oslo_messaging_rabbit] has "
                                      "the value \"ca.pem\" (f.conf:2), but ssl is false: nothing "
                                      "is encrypted."));
}

TEST(rabbit_options, versions_of_tls_that_are_not_safe_are_refused) {
  EXPECT_FALSE(read("ssl = 1\nssl_version = SSLv23\n").link.tls.only_1_2);
  EXPECT_TRUE(read("ssl = 1\nssl_version = TLSv1_2\n").link.tls.only_1_2);
  for (const std::string old : {"sslv2", "SSLv3", "tlsv1", "TLSv1_1", "nonsense"}) {
    EXPECT_EQ(error_of("ssl = 1\nssl_version = " + old + "\n"),
              "Option \"ssl_version\" of group [oslo_messaging_rabbit] has the value \"" + old +
                  "\" (f.conf:3), which is none of: sslv23 (TLS 1.2 or newer), tlsv1_2.");
    EXPECT_EQ(error_of("ssl_version = " + old + "\n"), "no error") << "there is no TLS";
  }
}

// ---- queues and messages ------------------------------------------------------------------------

TEST(rabbit_options, quorum_queues) {
  const auto o = read(
      "rabbit_quorum_queue = true\nrabbit_quorum_delivery_limit = 3\n"
      "rabbit_quorum_max_memory_length = 4\nrabbit_quorum_max_memory_bytes = 5\n"
      "rabbit_transient_quorum_queue = true\n");
  EXPECT_TRUE(o.quorum.shared);
  EXPECT_TRUE(o.quorum.transient);
  EXPECT_EQ(o.quorum.delivery_limit, 3);
  EXPECT_EQ(o.quorum.max_memory_length, 4);
  EXPECT_EQ(o.quorum.max_memory_bytes, 5);
  const auto none = read("");
  EXPECT_FALSE(none.quorum.shared || none.quorum.transient || none.mirrored);
  EXPECT_TRUE(read("rabbit_ha_queues = true\n").mirrored);
}

TEST(rabbit_options, names_of_14_0_3_count) {
  const auto o = read(
      "rabbit_quroum_max_memory_length = 4\nrabbit_quroum_max_memory_bytes = 5\n"
      "[DEFAULT]\nrabbit_ha_queues = true\namqp_auto_delete = true\n");
  EXPECT_EQ(o.quorum.max_memory_length, 4);
  EXPECT_EQ(o.quorum.max_memory_bytes, 5);
  EXPECT_TRUE(o.mirrored);
  EXPECT_TRUE(o.auto_delete);
}

TEST(rabbit_options, a_queue_is_mirrored_or_of_the_quorum_kind) {
  for (const std::string name : {"rabbit_quorum_queue", "rabbit_transient_quorum_queue"})
    EXPECT_EQ(error_of("rabbit_ha_queues = true\n" + name + " = true\n"),
              "Option \"" + name +
                  "\" of group [oslo_messaging_rabbit] has the value \"true\" (f.conf:3), which "
                  "goes against rabbit_ha_queues: a queue is of the quorum kind or mirrored.");
}

TEST(rabbit_options, streams_need_what_they_need_in_python) {
  const std::string on = "rabbit_stream_fanout = true\n";
  EXPECT_TRUE(read(on + "rabbit_transient_quorum_queue = true\nrabbit_qos_prefetch_count = 1\n")
                  .stream_fanout);
  EXPECT_FALSE(read("").stream_fanout);
  const std::string begin =
      R"(Option "rabbit_stream_fanout" of group [oslo_messaging_rabbit] has the value "true" )";
  EXPECT_EQ(error_of(on + "rabbit_transient_quorum_queue = true\n"),
            begin + "(f.conf:2), which needs rabbit_qos_prefetch_count to be 1 or more.");
  EXPECT_EQ(error_of(on + "rabbit_qos_prefetch_count = 1\n"),
            begin + "(f.conf:2), which needs rabbit_transient_quorum_queue to be true.");
  EXPECT_THAT(error_of("", "rabbit://h/?rabbit_stream_fanout=true"),
              StartsWith(begin + "(in the query of the transport URL rabbit://h/"));
}

TEST(rabbit_options, compression) {
  EXPECT_EQ(read("").compression, std::nullopt);
  EXPECT_EQ(read("kombu_compression =\n").compression, std::nullopt);
  EXPECT_EQ(read("kombu_compression = gzip\n").compression, wire::codec::zlib);
  EXPECT_EQ(read("kombu_compression = bz2\n").compression, wire::codec::bzip2);
  for (const std::string other : {"lzma", "zstd", "GZIP"})
    EXPECT_EQ(error_of("kombu_compression = " + other + "\n"),
              "Option \"kombu_compression\" of group [oslo_messaging_rabbit] has the value \"" +
                  other + "\" (f.conf:2), which is none of: gzip, zlib, bzip2, bzip, bz2.");
}

// ---- what is not done here ----------------------------------------------------------------------

TEST(rabbit_options, a_login_method_that_is_only_for_a_demonstration_is_refused) {
  EXPECT_THAT(error_of("rabbit_login_method = RABBIT-CR-DEMO\n"), HasSubstr("f.conf:2"));
}

TEST(rabbit_options, what_cannot_matter_is_one_warning) {
  EXPECT_EQ(read("heartbeat_rate = 2\nheartbeat_in_pthread = true\nconn_pool_ttl = 1200\n"
                 "[DEFAULT]\nrpc_conn_pool_size = 5\n")
                .without_effect,
            "Options of [oslo_messaging_rabbit] that have no effect here: "
            "heartbeat_rate (f.conf:2), heartbeat_in_pthread (f.conf:3), "
            "rpc_conn_pool_size (f.conf:6).");
}

/// As deployment tools write them; only their owner sees the names of such queues.
TEST(rabbit_options, a_file_that_asks_for_lasting_names_of_private_queues_can_be_shared) {
  const auto o = read(
      "use_queue_manager = true\nrabbit_quorum_queue = true\n"
      "rabbit_transient_quorum_queue = true\nhostname = h\nprocessname = p\n");
  EXPECT_TRUE(o.quorum.shared && o.quorum.transient);
  EXPECT_EQ(o.without_effect,
            "Options of [oslo_messaging_rabbit] that have no effect here: "
            "use_queue_manager (f.conf:2), hostname (f.conf:5), processname (f.conf:6).");
}

TEST(rabbit_options, keys_that_nobody_knows_are_ignored_as_by_oslo_config) {
  const auto o = read("of_some_later_version = 1\n");
  EXPECT_THAT(o.warnings, IsEmpty());
  EXPECT_EQ(o.without_effect, "");
}

/// The tables of 18.3.1 and 14.0.3 (docs/options.md).
TEST(rabbit_options, all_of_python_are_known) {
  for (const std::string_view name : {"amqp_durable_queues",
                                      "amqp_auto_delete",
                                      "rpc_conn_pool_size",
                                      "conn_pool_min_size",
                                      "conn_pool_ttl",
                                      "ssl",
                                      "ssl_version",
                                      "ssl_key_file",
                                      "ssl_cert_file",
                                      "ssl_ca_file",
                                      "ssl_enforce_hostname_verification",
                                      "ssl_enforce_fips_mode",
                                      "kombu_reconnect_delay",
                                      "kombu_reconnect_splay",
                                      "kombu_compression",
                                      "kombu_missing_consumer_retry_timeout",
                                      "kombu_failover_strategy",
                                      "rabbit_login_method",
                                      "rabbit_retry_interval",
                                      "rabbit_retry_backoff",
                                      "rabbit_interval_max",
                                      "rabbit_ha_queues",
                                      "rabbit_quorum_queue",
                                      "rabbit_transient_quorum_queue",
                                      "rabbit_quorum_delivery_limit",
                                      "rabbit_quorum_max_memory_length",
                                      "rabbit_quorum_max_memory_bytes",
                                      "rabbit_transient_queues_ttl",
                                      "rabbit_qos_prefetch_count",
                                      "heartbeat_timeout_threshold",
                                      "heartbeat_rate",
                                      "direct_mandatory_flag",
                                      "enable_cancel_on_failover",
                                      "use_queue_manager",
                                      "hostname",
                                      "processname",
                                      "rabbit_stream_fanout",
                                      "heartbeat_in_pthread"})
    EXPECT_TRUE(std::ranges::any_of(option_table(), [&](const option& o) {
      return o.name == name;
    })) << name;
}

}  // namespace
}  // namespace oslo::messaging::rabbit
