#include "drivers/rabbit/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
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

/// As OpenStack-Ansible writes it.
TEST(rabbit_options, a_url_may_say_everything_about_tls) {
  for (const std::string version : {"TLSv1_2", "tlsv1_2", "TLSV1_2"}) {
    const auto o = read("", ("rabbit://u:p@h1:5671,u:p@h2:5671//nova?ssl=1&ssl_version=" + version +
                             "&ssl_ca_file=/etc/ssl/certs/ca-certificates.crt")
                                .c_str());
    ASSERT_EQ(o.link.brokers.size(), 2u);
    EXPECT_EQ(o.link.brokers[1].where.text(), "h2:5671");
    EXPECT_EQ(o.link.brokers[1].username + o.link.brokers[1].password, "up");
    EXPECT_EQ(o.link.amqp.vhost, "/nova");
    EXPECT_TRUE(o.link.tls.enabled && o.link.tls.only_1_2);
    EXPECT_EQ(o.link.tls.ca_file, "/etc/ssl/certs/ca-certificates.crt");
    EXPECT_THAT(o.warnings, IsEmpty());
  }
}

TEST(rabbit_options, rabbits_is_tls_by_name) {
  const auto o = read("ssl = false\nssl_ca_file = ca.pem\n", "rabbits://u:p@h1,h2:1234/v");
  EXPECT_TRUE(o.link.tls.enabled);
  EXPECT_EQ(o.link.tls.check, net::peer_check::chain_and_name);
  EXPECT_EQ(o.link.brokers.at(0).where.text(), "h1:5671");
  EXPECT_THAT(o.warnings, IsEmpty());
  EXPECT_FALSE(read("ssl_ca_file = ca.pem\n").link.tls.enabled);
  EXPECT_TRUE(read("", "rabbits://h/?ssl=true").link.tls.enabled);
  EXPECT_THAT(error_of("", "rabbits://h/?ssl=false"),
              HasSubstr(", which goes against the scheme rabbits."));
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

// ---- connections --------------------------------------------------------------------------------

TEST(rabbit_options, pauses_and_the_order_of_hosts) {
  const auto usual = read("").link;
  EXPECT_EQ(usual.backoff.initial, std::chrono::seconds(1));
  EXPECT_EQ(usual.backoff.step, std::chrono::seconds(2));
  EXPECT_EQ(usual.backoff.cap, std::chrono::seconds(30));
  EXPECT_EQ(usual.splay, std::chrono::seconds(0));
  EXPECT_FALSE(usual.shuffle);
  const auto o =
      read(
          "rabbit_retry_interval = 3\nrabbit_retry_backoff = 0\nrabbit_interval_max = 5\n"
          "kombu_reconnect_splay = 0.5\nkombu_failover_strategy = shuffle\n")
          .link;
  EXPECT_EQ(o.backoff.initial, std::chrono::seconds(3));
  EXPECT_EQ(o.backoff.step, std::chrono::seconds(0));
  EXPECT_EQ(o.backoff.cap, std::chrono::seconds(5));
  EXPECT_EQ(o.splay, std::chrono::milliseconds(500));
  EXPECT_TRUE(o.shuffle);
  EXPECT_EQ(read("kombu_reconnect_splay = 1e300\nrabbit_retry_backoff = 9223372036854775807\n")
                .link.splay,
            std::chrono::hours(24));
  EXPECT_THAT(error_of("rabbit_retry_backoff = -1\n"), HasSubstr("below the minimum of 0"));
  EXPECT_THAT(error_of("kombu_reconnect_splay = -0.1\n"), HasSubstr("below the minimum of 0"));
  EXPECT_THAT(error_of("kombu_failover_strategy = random\n"), HasSubstr("is none of: round-robin"));
}

// ---- what is not done here ----------------------------------------------------------------------

TEST(rabbit_options, a_login_method_that_is_only_for_a_demonstration_is_refused) {
  EXPECT_THAT(error_of("rabbit_login_method = RABBIT-CR-DEMO\n"), HasSubstr("f.conf:2"));
}

TEST(rabbit_options, what_cannot_matter_is_one_warning) {
  EXPECT_EQ(read("heartbeat_rate = 2\nheartbeat_in_pthread = true\nconn_pool_ttl = 1200\n"
                 "rpc_conn_pool_size = 5\n")
                .without_effect,
            "Options of [oslo_messaging_rabbit] that have no effect here: "
            "heartbeat_rate (f.conf:2), heartbeat_in_pthread (f.conf:3), "
            "rpc_conn_pool_size (f.conf:5).");
}

// ---- names of private queues --------------------------------------------------------------------

TEST(rabbit_options, names_are_random_unless_a_queue_manager_is_wanted) {
  EXPECT_FALSE(read("hostname = h\nprocessname = p\n").names.has_value());
  const auto o = read(
      "use_queue_manager = true\nhostname = h\nprocessname = p\n"
      "[oslo_concurrency]\nlock_path = /var/lock/nova\n");
  ASSERT_TRUE(o.names.has_value());
  EXPECT_EQ(o.names->hostname, "h");
  EXPECT_EQ(o.names->processname, "p");
  EXPECT_EQ(o.names->counter, "/dev/shm/h_p_qmanager");
  EXPECT_EQ(o.names->lock, "/var/lock/nova/oslo_read_shm_h_p");
  EXPECT_THAT(o.warnings, IsEmpty());
}

TEST(rabbit_options, a_queue_manager_knows_host_and_program_by_itself) {
  const auto o = read("use_queue_manager = true\n");
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  EXPECT_EQ(o.names.value().hostname, host);
  EXPECT_EQ(o.names.value().processname, program_invocation_short_name);
  EXPECT_THAT(o.names.value().lock, StartsWith("/dev/shm/oslo_read_shm_"));
}

/// Options of the service that owns the file are known to itself alone.
TEST(rabbit_options, a_lock_path_that_is_made_of_unknown_options_is_a_warning) {
  const auto o = read(
      "use_queue_manager = true\nhostname = h\nprocessname = p\n"
      "[oslo_concurrency]\nlock_path = $state_path/tmp\n");
  EXPECT_EQ(o.names.value().lock, "/dev/shm/oslo_read_shm_h_p");
  EXPECT_THAT(o.warnings,
              ElementsAre("Option \"lock_path\" of group [oslo_concurrency] has the value "
                          "\"$state_path/tmp\" (f.conf:6), which holds $state_path, which names no "
                          "option; write $$ for a dollar sign. Option use_queue_manager locks a "
                          "file in /dev/shm instead."));
}

/// Each of them, so that none is forgotten.
TEST(rabbit_options, every_former_name_works_and_is_one_line) {
  std::size_t names = 0;
  for (const auto& opt : option_table()) {
    for (const std::string_view old : opt.deprecated) {
      ++names;
      const auto slash = old.find('/');
      const std::string group(slash == old.npos ? "oslo_messaging_rabbit" : old.substr(0, slash));
      const std::string name(slash == old.npos ? old : old.substr(slash + 1));
      const auto o =
          read("[" + group + "]\n" + name + " = " + std::string(opt.default_value) + "\n");
      EXPECT_THAT(o.warnings, ElementsAre("Deprecated: Option \"" + name + "\" of group [" + group +
                                          "] (f.conf:3) is \"" + std::string(opt.name) +
                                          "\" of group [oslo_messaging_rabbit] now."));
    }
  }
  EXPECT_GE(names, 15u);
  EXPECT_TRUE(read("rabbit_use_ssl = true\n").link.tls.enabled);
}

TEST(rabbit_options, pools_that_python_refuses_are_refused) {
  EXPECT_EQ(error_of("rpc_conn_pool_size = 1\n"),
            "Option \"rpc_conn_pool_size\" of group [oslo_messaging_rabbit] has the value \"1\" "
            "(f.conf:2), which is below conn_pool_min_size: Python would not start.");
  EXPECT_EQ(error_of("rpc_conn_pool_size = 2\n"), "no error");
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
