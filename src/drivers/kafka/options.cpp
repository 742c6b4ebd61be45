#include "drivers/kafka/options.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <utility>

#include "core/config/option_lookup.hpp"
#include "drivers/kafka/handles.hpp"

namespace oslo::messaging::kafka {
namespace {

constexpr auto group = "oslo_messaging_kafka";
constexpr std::uint16_t default_port = 9092;

// ---- the URL ------------------------------------------------------------------------------------

std::string servers_of(const transport_url& url) {
  std::string all;
  for (const auto& h : url.hosts) {
    if (!h.hostname || h.hostname->empty()) continue;
    if (!all.empty()) all += ',';
    const bool ipv6 = h.hostname->find(':') != std::string::npos;
    all += ipv6 ? "[" + *h.hostname + "]" : *h.hostname;
    all += ":" + std::to_string(h.port.value_or(default_port));
  }
  return all.empty() ? "localhost:" + std::to_string(default_port) : all;
}

struct credentials {
  std::string user, password;
};

/// Those of the first host that has any, as oslo takes them: librdkafka has one login for all.
std::optional<credentials> credentials_of(const transport_url& url,
                                          std::vector<std::string>& warnings) {
  std::optional<credentials> found;
  for (const auto& h : url.hosts) {
    if (!h.username) continue;
    credentials c{*h.username, h.password.value_or("")};
    if (!found)
      found = std::move(c);
    else if (found->user != c.user || found->password != c.password) {
      warnings.push_back("The hosts of " + redacted(url) +
                         " have different credentials: those of the first one are used for all.");
      break;
    }
  }
  return found;
}

// ---- settings of librdkafka by name -------------------------------------------------------------

bool is_secret(std::string_view name) {
  for (const char* part : {"password", "secret", "key.pem", "token", "oauthbearer.config"})
    if (name.find(part) != std::string_view::npos) return true;
  return false;
}

enum class purpose { both, producer, consumer };

struct named_setting {
  purpose whose;
  setting what;
};

/// The prefix taken off; none when it has none.
std::optional<named_setting> parse_name(std::string_view key) {
  for (const auto& [prefix, whose] :
       {std::pair(setting_prefix, purpose::both), std::pair(producer_prefix, purpose::producer),
        std::pair(consumer_prefix, purpose::consumer)})
    if (key.starts_with(prefix) && key.size() > prefix.size())
      return named_setting{whose, {std::string(key.substr(prefix.size())), {}}};
  return std::nullopt;
}

/// What the driver depends on, or has an option for.
const char* why_refused(std::string_view name) {
  static constexpr std::pair<std::string_view, const char*> refused[] = {
      {"bootstrap.servers", "comes from the URL"},
      {"metadata.broker.list", "comes from the URL"},
      {"group.id", "comes from the listener's pool or from option consumer_group"},
      {"enable.auto.commit", "comes from option enable_auto_commit"},
      {"auto.offset.reset", "comes from option cpp_auto_offset_reset"},
      {"default.topic.config", "is no setting: name each by itself"},
      {"enable.auto.offset.store", "the driver depends on"},
      {"enable.partition.eof", "the driver depends on"},
      {"log.queue", "the driver depends on"},
      {"transactional.id", "the driver cannot use"},
  };
  for (const auto& [known, why] : refused)
    if (name == known) return why;
  return nullptr;
}

std::string described(std::string_view key, std::string_view value, std::string_view place) {
  return "Option \"" + std::string(key) + "\" of group [" + group + "] has the value \"" +
         (is_secret(key) ? "***" : std::string(value)) + "\" (" + std::string(place) + ")";
}

named_setting checked(named_setting s, std::string_view key, std::string value,
                      std::string_view place) {
  s.what.origin = described(key, value, place);
  s.what.value = std::move(value);
  if (const char* const why = why_refused(s.what.name))
    throw_failure({errc::invalid_config, s.what.origin + ", which " + why + "."});
  return s;
}

/// Those of the files first: the query counts more.
std::vector<named_setting> named_settings(const config& conf, const transport_url& url,
                                          std::map<std::string, std::string>& other_query) {
  std::vector<named_setting> all;
  for (const auto& key : conf.keys(group)) {
    auto s = parse_name(key);
    if (!s) continue;
    const auto entries = conf.find(group, key);
    const auto last =
        std::max_element(entries.begin(), entries.end(),
                         [](const auto& a, const auto& b) { return a.layer < b.layer; });
    // Of one layer the last line.
    const auto* chosen = &*last;
    for (const auto& e : entries)
      if (e.layer == last->layer) chosen = &e;
    all.push_back(checked(*std::move(s), key, chosen->text, chosen->origin));
  }
  for (const auto& [key, value] : url.query) {
    if (auto s = parse_name(key))
      all.push_back(checked(*std::move(s), key, value, "in the query of " + redacted(url)));
    else
      other_query.emplace(key, value);
  }
  return all;
}

// ---- putting it together ------------------------------------------------------------------------

std::string milliseconds_text(double seconds) {
  return std::to_string(std::llround(seconds * 1000));
}

bool has_tls(const std::string& protocol) {
  return protocol == "SSL" || protocol == "SASL_SSL";
}

/// What producer and consumers have in common.
std::vector<setting> connection_settings(const option_values& v, const transport_url& url,
                                         std::string_view client_name,
                                         std::vector<std::string>& warnings) {
  const auto protocol = v.string("security_protocol");
  std::vector<setting> s{{"bootstrap.servers", servers_of(url)},
                         // Quotas and measurements of brokers go by this name.
                         {"client.id", std::string(client_name.substr(0, client_name.find(':')))},
                         {"log.queue", "true"},
                         {"security.protocol", protocol, v.described("security_protocol")}};
  const auto login = credentials_of(url, warnings);
  if (protocol.starts_with("SASL_")) {
    s.push_back({"sasl.mechanisms", v.string("sasl_mechanism"), v.described("sasl_mechanism")});
    if (login) {
      s.push_back({"sasl.username", login->user});
      s.push_back({"sasl.password", login->password});
    }
  } else if (login) {
    warnings.push_back("The user name in " + redacted(url) + " is not used: security_protocol is " +
                       protocol + ", which has no login.");
  }
  for (const auto& [option, name] : {std::pair("ssl_cafile", "ssl.ca.location"),
                                     std::pair("ssl_client_cert_file", "ssl.certificate.location"),
                                     std::pair("ssl_client_key_file", "ssl.key.location"),
                                     std::pair("ssl_client_key_password", "ssl.key.password")}) {
    if (v.string(option).empty()) continue;
    if (has_tls(protocol))
      s.push_back({name, v.string(option), v.described(option)});
    else
      warnings.push_back(v.described(option) + ", but security_protocol is " + protocol +
                         ": nothing is encrypted.");
  }
  return s;
}

void add(std::vector<setting>& to, std::vector<setting> more) {
  std::move(more.begin(), more.end(), std::back_inserter(to));
}

}  // namespace

options read_options(const config& conf, const transport_url& url, std::string_view client_name) {
  std::map<std::string, std::string> query;
  const auto named = named_settings(conf, url, query);
  const option_values v(group, option_table(), conf, query, redacted(url));
  options o;
  o.servers = servers_of(url);
  o.group = v.string("consumer_group");
  o.vhost = url.virtual_host.value_or("");
  o.most_at_once = static_cast<std::size_t>(v.integer("max_poll_records"));
  o.auto_commit = v.boolean("enable_auto_commit");
  o.latest = v.string("cpp_auto_offset_reset") == "latest";
  o.token_file = v.string("cpp_oauthbearer_token_file");
  o.commit_interval =
      std::chrono::milliseconds(std::llround(v.floating("cpp_commit_interval") * 1000));
  if (o.group.empty())
    throw_failure({errc::invalid_config, v.described("consumer_group") + ", which is empty."});

  const auto common = connection_settings(v, url, client_name, o.warnings);
  o.producer = common;
  add(o.producer,
      {{"enable.idempotence", "true"},
       {"acks", "all"},
       // The bounds of docs/architecture.md.
       {"queue.buffering.max.messages", "200000"},
       {"queue.buffering.max.kbytes", "262144"},
       {"linger.ms", milliseconds_text(v.floating("producer_batch_timeout")),
        v.described("producer_batch_timeout")},
       {"batch.num.messages", std::to_string(v.integer("producer_batch_size")),
        v.described("producer_batch_size")},
       {"compression.codec", v.string("compression_codec"), v.described("compression_codec")}});
  o.consumer = common;
  add(o.consumer, {{"enable.auto.commit", o.auto_commit ? "true" : "false"},
                   {"enable.auto.offset.store", "false"},
                   {"enable.partition.eof", o.latest ? "true" : "false"},
                   {"auto.offset.reset", v.string("cpp_auto_offset_reset")},
                   // So long may a topic exist before a listener that waits for it sees it.
                   {"topic.metadata.refresh.interval.ms", "10000"},
                   {"max.partition.fetch.bytes", std::to_string(v.integer("kafka_max_fetch_bytes")),
                    v.described("kafka_max_fetch_bytes")}});
  for (const auto& s : named) {
    if (s.whose != purpose::consumer) o.producer.push_back(s.what);
    if (s.whose != purpose::producer) o.consumer.push_back(s.what);
  }
  for (const auto& settings : {&o.producer, &o.consumer}) make_conf(*settings).value();
  for (auto& line : former_names_in_use(conf, group, option_table(), query))
    o.warnings.push_back(std::move(line));
  o.without_effect = v.without_effect();
  return o;
}

}  // namespace oslo::messaging::kafka
