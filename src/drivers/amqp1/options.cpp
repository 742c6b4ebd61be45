#include "drivers/amqp1/options.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <oslo/messaging/error.hpp>
#include <utility>

#include "core/config/option_lookup.hpp"
#include "core/saturating.hpp"
#include "core/text.hpp"
#include "core/unique_id.hpp"

namespace oslo::messaging::amqp1 {
namespace {

constexpr auto group = "oslo_messaging_amqp";
constexpr std::uint16_t default_port = 5672;

std::string own_hostname() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "<UNKNOWN>";
}

[[noreturn]] void refuse(const option_values& v, std::string_view name, const std::string& why) {
  throw_failure({errc::invalid_config, v.described(name) + ", which " + why + "."});
}

std::vector<broker> brokers_of(const transport_url& url, const std::string& realm) {
  std::vector<broker> all;
  for (const auto& h : url.hosts) {
    broker b{{h.hostname.value_or("localhost"), h.port.value_or(default_port)},
             h.username.value_or(""),
             h.password.value_or("")};
    if (!realm.empty() && !b.username.empty() && b.username.find('@') == b.username.npos)
      b.username += "@" + realm;
    all.push_back(std::move(b));
  }
  if (all.empty()) all.push_back({{"localhost", default_port}});
  return all;
}

/// Between blanks and commas.
std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> all;
  while (true) {
    const auto begin = text.find_first_not_of(" \t,");
    if (begin == text.npos) return all;
    const auto end = std::min(text.find_first_of(" \t,", begin), text.size());
    all.emplace_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
}

std::string read_mechanisms(const option_values& v) {
  std::string known;
  const auto given = words(v.string("sasl_mechanisms"));
  for (const auto& name : given) {
    if (name != "EXTERNAL" && name != "PLAIN" && name != "ANONYMOUS") continue;
    known += (known.empty() ? "" : " ") + name;
  }
  if (!given.empty() && known.empty())
    refuse(v, "sasl_mechanisms", "holds none of: EXTERNAL, PLAIN, ANONYMOUS");
  return known;
}

net::tls_options read_tls(const option_values& v, const std::string& virtual_host) {
  net::tls_options tls{.ca_file = v.string("ssl_ca_file"),
                       .cert_file = v.string("ssl_cert_file"),
                       .key_file = v.string("ssl_key_file")};
  tls.enabled = v.boolean("ssl") || !tls.ca_file.empty() || !tls.cert_file.empty();
  if (!tls.enabled) return tls;
  if (v.is_set("ssl_key_password")) tls.key_password = v.string("ssl_key_password");
  if (v.boolean("ssl_verify_vhost")) {
    if (virtual_host.empty()) refuse(v, "ssl_verify_vhost", "needs a virtual host in the URL");
    tls.peer_name = virtual_host;
  }
  return tls;
}

address_rules read_addresses(const option_values& v, const transport_url& url) {
  const auto given = [&](const char* name) -> std::optional<std::string> {
    if (!v.is_set(name)) return std::nullopt;
    return v.string(name);
  };
  address_rules r;
  const auto mode = v.string("addressing_mode");
  r.mode = mode == "legacy"     ? addressing::legacy
           : mode == "routable" ? addressing::routable
                                : addressing::dynamic;
  if (v.boolean("pseudo_vhost")) r.virtual_host = url.virtual_host.value_or("");
  r.legacy = {v.string("server_request_prefix"), v.string("broadcast_prefix"),
              v.string("group_request_prefix")};
  r.routable = {v.string("rpc_address_prefix"),        v.string("notify_address_prefix"),
                v.string("multicast_address"),         v.string("unicast_address"),
                v.string("anycast_address"),           given("default_rpc_exchange"),
                given("default_notification_exchange")};
  return r;
}

void read_pre_settled(const option_values& v, options& o) {
  std::string unknown;
  std::string all;
  for (const auto& text : v.list("pre_settled")) all += text + ",";
  for (const auto& text : words(all)) {
    const auto name = ascii_lower(text);
    if (name == "rpc-call")
      o.pre_settled.calls = true;
    else if (name == "rpc-reply")
      o.pre_settled.replies = true;
    else if (name == "rpc-cast")
      o.pre_settled.casts = true;
    else if (name == "notify")
      o.pre_settled.notifications = true;
    else
      unknown += " " + text;
  }
  if (!unknown.empty())
    o.warnings.push_back(v.described("pre_settled") + "; unknown and ignored:" + unknown + ".");
}

}  // namespace

options read_options(const config& conf, const transport_url& url, std::string_view client_name) {
  const option_values v(group, option_table(), conf, url.query, redacted(url));
  const auto seconds = [&](const char* name) { return up_to_a_year(v.integer(name)); };
  const auto credit = [&](const char* name) { return static_cast<std::uint32_t>(v.integer(name)); };
  options o;
  o.addresses = read_addresses(v, url);
  read_pre_settled(v, o);
  o.send_timeout = seconds("default_send_timeout");
  o.notify_timeout = seconds("default_notify_timeout");
  o.reply_timeout = seconds("default_reply_timeout");
  o.reply_retry =
      static_cast<int>(std::min<std::int64_t>(v.integer("default_reply_retry"), 1 << 30));
  o.idle_sender = seconds("default_sender_link_timeout");
  o.reply_credit = credit("reply_link_credit");
  o.rpc_credit = credit("rpc_server_credit");
  o.notify_credit = credit("notify_server_credit");
  o.trace = v.boolean("trace");

  auto& link = o.link;
  link.brokers = brokers_of(url, v.string("sasl_default_realm"));
  auto& c = link.connection;
  const std::string host = own_hostname(), program = program_invocation_short_name;
  c.process_id = ::getpid();
  c.container_id = v.is_set("container_name") ? v.string("container_name") : std::string();
  if (c.container_id.empty())
    c.container_id = "openstack.org/om/container/" + host + "/" + program + "/" +
                     std::to_string(c.process_id) + "/" + unique_id();
  c.properties = {{"process", program}, {"node", host}};
  if (!client_name.empty()) c.properties.emplace_back("connection_name", client_name);
  if (!v.boolean("pseudo_vhost")) c.hostname = url.virtual_host.value_or("");
  c.idle_timeout = seconds("idle_timeout");
  c.mechanisms = read_mechanisms(v);
  link.tls = read_tls(v, url.virtual_host.value_or(""));
  link.backoff.initial = seconds("connection_retry_interval");
  link.backoff.multiplier =
      static_cast<double>(std::max<std::int64_t>(1, v.integer("connection_retry_backoff")));
  link.backoff.cap = seconds("connection_retry_interval_max");
  for (auto& line : former_names_in_use(conf, group, option_table(), url.query))
    o.warnings.push_back(std::move(line));
  o.without_effect = v.without_effect();
  return o;
}

}  // namespace oslo::messaging::amqp1
