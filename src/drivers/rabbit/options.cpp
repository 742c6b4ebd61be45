#include "drivers/rabbit/options.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <oslo/messaging/error.hpp>
#include <utility>

#include "core/config/option_lookup.hpp"
#include "core/saturating.hpp"
#include "core/text.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr auto group = "oslo_messaging_rabbit";
constexpr std::uint16_t default_port = 5672, default_tls_port = 5671;

/// A scheme that says what option ssl says.
bool is_tls(const transport_url& url) {
  return url.transport == "rabbits";
}

std::vector<net::broker> brokers_of(const transport_url& url) {
  std::vector<net::broker> all;
  const auto port = is_tls(url) ? default_tls_port : default_port;
  for (const auto& h : url.hosts)
    all.push_back({{h.hostname.value_or("localhost"), h.port.value_or(port)},
                   h.username.value_or("guest"),
                   h.password.value_or("guest")});
  if (all.empty()) all.push_back({{"localhost", port}});
  return all;
}

[[noreturn]] void refuse(const option_values& v, std::string_view name, const std::string& why) {
  throw_failure({errc::invalid_config, v.described(name) + ", which " + why + "."});
}

std::optional<wire::codec> read_compression(const option_values& v) {
  if (!v.is_set("kombu_compression") || v.string("kombu_compression").empty()) return std::nullopt;
  const auto codec = wire::codec_named(v.string("kombu_compression"));
  if (!codec) refuse(v, "kombu_compression", "is none of: gzip, zlib, bzip2, bzip, bz2");
  return codec;
}

net::tls_options read_tls(const option_values& v, bool by_scheme,
                          std::vector<std::string>& warnings) {
  net::tls_options tls{.enabled = by_scheme || v.boolean("ssl"),
                       .ca_file = v.string("ssl_ca_file"),
                       .cert_file = v.string("ssl_cert_file"),
                       .key_file = v.string("ssl_key_file")};
  if (!tls.enabled) {
    for (const char* name : {"ssl_ca_file", "ssl_cert_file", "ssl_key_file"})
      if (!v.string(name).empty())
        warnings.push_back(v.described(name) + ", but ssl is false: nothing is encrypted.");
    return tls;
  }
  const auto version = ascii_lower(v.string("ssl_version"));
  tls.only_1_2 = version == "tlsv1_2";
  if (!tls.only_1_2 && !version.empty() && version != "sslv23")
    refuse(v, "ssl_version", "is none of: sslv23 (TLS 1.2 or newer), tlsv1_2");
  if (!v.boolean("ssl_enforce_hostname_verification")) tls.check = net::peer_check::chain;
  if (v.boolean("cpp_insecure_accept_any_certificate")) {
    tls.check = net::peer_check::nothing;
    warnings.push_back(v.described("cpp_insecure_accept_any_certificate") +
                       ": certificates of brokers are not checked, so anybody on the way can pose "
                       "as the broker, and read the password and all messages.");
  }
  return tls;
}

std::string own_hostname() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

/// The folder in which Python locks; it does not start without one.
std::string lock_folder(const config& conf, std::vector<std::string>& warnings) {
  static const option lock_options[] = {{.name = "lock_path", .has_default = false}};
  try {
    const option_values v("oslo_concurrency", lock_options, conf);
    if (v.is_set("lock_path") && !v.string("lock_path").empty()) return v.string("lock_path");
  } catch (const configuration_error& e) {
    // The service of the file has options of its own, which may stand in this one.
    warnings.push_back(std::string(e.what()) +
                       " Option use_queue_manager locks a file in /dev/shm instead.");
  }
  const char* const folder = std::getenv("OSLO_LOCK_PATH");
  return folder != nullptr && *folder != '\0' ? folder : "/dev/shm";
}

std::optional<stable_names> read_names(const option_values& v, const config& conf,
                                       std::vector<std::string>& warnings) {
  if (!v.boolean("use_queue_manager")) return std::nullopt;
  stable_names n;
  const auto given = [&](const char* name, std::string otherwise) {
    const auto text = v.is_set(name) ? v.string(name) : std::string();
    return text.empty() ? otherwise : text;
  };
  n.hostname = given("hostname", own_hostname());
  n.processname = given("processname", program_invocation_short_name);
  n.counter = counter_file(n);
  n.lock = lock_file(n, lock_folder(conf, warnings));
  return n;
}

}  // namespace

options read_options(const config& conf, const transport_url& url, std::string_view client_name) {
  const option_values v(group, option_table(), conf, url.query, redacted(url));
  options o;
  o.durable = v.boolean("amqp_durable_queues");
  o.auto_delete = v.boolean("amqp_auto_delete");
  o.mirrored = v.boolean("rabbit_ha_queues");
  o.quorum = {v.boolean("rabbit_quorum_queue"), v.boolean("rabbit_transient_quorum_queue"),
              v.integer("rabbit_quorum_delivery_limit"),
              v.integer("rabbit_quorum_max_memory_length"),
              v.integer("rabbit_quorum_max_memory_bytes")};
  for (const auto& [on, name] : {std::pair(o.quorum.shared, "rabbit_quorum_queue"),
                                 std::pair(o.quorum.transient, "rabbit_transient_quorum_queue")})
    if (on && o.mirrored)
      refuse(v, name, "goes against rabbit_ha_queues: a queue is of the quorum kind or mirrored");
  o.cancel_on_failover = v.boolean("enable_cancel_on_failover");
  o.compression = read_compression(v);
  o.transient_ttl = std::chrono::seconds(v.integer("rabbit_transient_queues_ttl"));
  o.prefetch = static_cast<std::uint16_t>(v.integer("rabbit_qos_prefetch_count"));
  o.names = read_names(v, conf, o.warnings);
  o.stream_fanout = v.boolean("rabbit_stream_fanout");
  if (o.stream_fanout && o.prefetch == 0)
    refuse(v, "rabbit_stream_fanout", "needs rabbit_qos_prefetch_count to be 1 or more");
  if (o.stream_fanout && !o.quorum.transient)
    refuse(v, "rabbit_stream_fanout", "needs rabbit_transient_quorum_queue to be true");
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
  if (is_tls(url) && url.query.contains("ssl") && !v.boolean("ssl"))
    refuse(v, "ssl", "goes against the scheme rabbits");
  link.tls = read_tls(v, is_tls(url), o.warnings);
  link.backoff.initial = up_to_a_year(v.integer("rabbit_retry_interval"));
  link.backoff.step = up_to_a_year(v.integer("rabbit_retry_backoff"));
  link.shuffle = v.string("kombu_failover_strategy") == "shuffle";
  link.splay = std::chrono::milliseconds(
      static_cast<std::int64_t>(std::min(v.floating("kombu_reconnect_splay"), 86'400.0) * 1000));
  link.backoff.cap = up_to_a_year(v.integer("rabbit_interval_max"));
  if (v.integer("rpc_conn_pool_size") < v.integer("conn_pool_min_size"))
    refuse(v, "rpc_conn_pool_size", "is below conn_pool_min_size: Python would not start");
  for (auto& line : former_names_in_use(conf, group, option_table(), url.query))
    o.warnings.push_back(std::move(line));
  o.without_effect = v.without_effect();
  return o;
}

}  // namespace oslo::messaging::rabbit
