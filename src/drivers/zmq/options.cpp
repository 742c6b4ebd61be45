#include "drivers/zmq/options.hpp"

#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <oslo/messaging/error.hpp>
#include <sstream>
#include <utility>

#include "core/config/option_lookup.hpp"

namespace oslo::messaging::zmq {
namespace {

constexpr auto group = "oslo_messaging_zmq";
constexpr std::uint16_t redis_port = 6379;
constexpr std::size_t key_letters = 40;
constexpr std::size_t most_keys = 100'000;

[[noreturn]] void refuse(std::string text) {
  throw_failure({errc::invalid_config, std::move(text)});
}

matchmaker_kind matchmaker_of(const option_values& v, const transport_url& url) {
  const auto plus = url.transport.find('+');
  const std::string name =
      plus == std::string::npos ? v.string("rpc_zmq_matchmaker") : url.transport.substr(plus + 1);
  if (name == "redis") return matchmaker_kind::redis;
  if (name == "dummy") return matchmaker_kind::dummy;
  if (name == "static") return matchmaker_kind::fixed;
  if (name == "ipc") return matchmaker_kind::ipc;
  if (name == "sentinel")
    refuse("The matchmaker \"sentinel\" (" + redacted(url) +
           ") is not supported: name the hosts of Redis themselves, zmq+redis://host:port.");
  refuse("There is no matchmaker \"" + name + "\" (" + redacted(url) +
         "): zmq+redis, zmq+static, zmq+ipc or zmq+dummy.");
}

std::vector<host_port> hosts_of(const transport_url& url, matchmaker_kind kind) {
  std::vector<host_port> all;
  for (const auto& h : url.hosts) {
    if (!h.hostname || h.hostname->empty()) continue;
    if (kind == matchmaker_kind::fixed && !h.port)
      refuse("A host of " + redacted(url) + " has no port: zmq+static needs one for each.");
    all.push_back({*h.hostname, h.port.value_or(redis_port), h.username.value_or(""),
                   h.password.value_or("")});
  }
  if (all.empty() && kind == matchmaker_kind::fixed)
    refuse("The URL " + redacted(url) + " names no host: zmq+static://host:port[,host:port...]/.");
  if (all.empty() && kind == matchmaker_kind::redis) all.push_back({"127.0.0.1", redis_port});
  return all;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

// ---- keys of CURVE ------------------------------------------------------------------------------

/// The keys of a file, one a line; empty lines and those that begin with # do not count.
std::vector<std::string> keys_of(const option_values& v, std::string_view name) {
  const auto path = v.string(name);
  std::vector<std::string> keys;
  if (path.empty()) return keys;
  std::ifstream file(path);
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    std::array<std::uint8_t, 32> raw{};
    if (line.size() != key_letters || zmq_z85_decode(raw.data(), line.c_str()) == nullptr)
      refuse(v.described(name) + ", where line " + std::to_string(number) +
             " is no key of 40 letters (Z85).");
    if (keys.size() >= most_keys)
      refuse(v.described(name) + ", which has more than " + std::to_string(most_keys) + " keys.");
    keys.push_back(line);
  }
  if (!file.eof() || keys.empty())
    refuse(v.described(name) + ", which cannot be read or has no key.");
  return keys;
}

std::string key_of(const option_values& v, std::string_view name) {
  auto keys = keys_of(v, name);
  if (keys.size() > 1) refuse(v.described(name) + ", which has more than one key.");
  return keys.empty() ? std::string() : std::move(keys.front());
}

curve_keys read_curve(const option_values& v) {
  curve_keys c;
  c.secret = key_of(v, "cpp_curve_secret_key_file");
  c.server = key_of(v, "cpp_curve_server_key_file");
  c.clients = keys_of(v, "cpp_curve_client_keys_file");
  if (c.secret.empty()) {
    if (!c.server.empty() || !c.clients.empty())
      refuse("CURVE needs a secret key of this process: option cpp_curve_secret_key_file of [" +
             std::string(group) + "] is empty.");
    return c;
  }
  if (c.server.empty() && c.clients.empty())
    refuse(v.described("cpp_curve_secret_key_file") +
           ", but neither cpp_curve_server_key_file nor cpp_curve_client_keys_file is set: this "
           "process could be neither client nor server.");
  std::array<char, key_letters + 1> own_public{};
  if (zmq_curve_public(own_public.data(), c.secret.c_str()) != 0)
    refuse(v.described("cpp_curve_secret_key_file") +
           ", which libzmq cannot use: it was built without CURVE, or this is no secret key.");
  c.own_public = own_public.data();
  return c;
}

void refuse_when_on(const option_values& v, std::string_view name, const char* why) {
  if (v.boolean(name)) refuse(v.described(name) + ", which is not supported: " + why);
}

}  // namespace

std::string to_string(const host_port& at) {
  const bool ipv6 = at.host.find(':') != std::string::npos;
  return (ipv6 ? "[" + at.host + "]" : at.host) + ":" + std::to_string(at.port);
}

options read_options(const config& conf, const transport_url& url) {
  const option_values v(group, option_table(), conf, url.query, redacted(url));
  options o;
  o.matchmaker = matchmaker_of(v, url);
  o.hosts = hosts_of(url, o.matchmaker);
  o.host = v.string("rpc_zmq_host");
  if (o.host.empty() && o.matchmaker != matchmaker_kind::fixed) o.host = host_name();
  o.bind_address = v.string("rpc_zmq_bind_address");
  o.min_port = static_cast<int>(v.integer("rpc_zmq_min_port"));
  o.last_port = static_cast<int>(v.integer("rpc_zmq_max_port")) - 1;
  if (o.last_port < o.min_port)
    refuse(v.described("rpc_zmq_max_port") + ", which leaves no port from rpc_zmq_min_port on.");
  o.bind_tries = static_cast<int>(v.integer("rpc_zmq_bind_port_retries"));
  o.ipc_dir = v.string("rpc_zmq_ipc_dir");
  o.target_expire = std::chrono::seconds(v.integer("zmq_target_expire"));
  o.alive_interval =
      std::chrono::milliseconds(std::llround(v.floating("cpp_alive_interval") * 1000));
  if (const auto linger = v.integer("zmq_linger"); linger >= 0)
    o.linger = std::chrono::seconds(linger);
  o.keepalive = static_cast<int>(v.integer("zmq_tcp_keepalive"));
  o.keepalive_idle = static_cast<int>(v.integer("zmq_tcp_keepalive_idle"));
  o.keepalive_count = static_cast<int>(v.integer("zmq_tcp_keepalive_cnt"));
  o.keepalive_interval = static_cast<int>(v.integer("zmq_tcp_keepalive_intvl"));
  if (v.string("rpc_zmq_serialization") != "json")
    refuse(v.described("rpc_zmq_serialization") + ", which is not supported: use json.");
  refuse_when_on(v, "use_pub_sub", "there is no proxy here.");
  refuse_when_on(v, "use_router_proxy", "there is no proxy here.");
  refuse_when_on(v, "use_dynamic_connections", "connections stay open here.");
  o.curve = read_curve(v);
  for (auto& line : former_names_in_use(conf, group, option_table(), url.query))
    o.warnings.push_back(std::move(line));
  o.without_effect = v.without_effect();
  return o;
}

}  // namespace oslo::messaging::zmq
