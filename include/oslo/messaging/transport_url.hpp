// rabbit://user:password@host:port,host2/vhost?option=value
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// One broker of a transport URL. Absent and empty differ (docs/wire/rabbitmq.md, RMQ-2).
struct transport_host {
  std::optional<std::string> hostname;  ///< name or address, IPv6 without brackets
  std::optional<std::uint16_t> port;    ///< none: that of the scheme
  std::optional<std::string> username;  ///< decoded, as the password
  std::optional<std::string> password;  ///< never in a log
  bool operator==(const transport_host&) const = default;
};

/// A parsed transport URL. Equality ignores the query, as in oslo.
struct transport_url {
  std::string transport;                     ///< driver name, lower case: "rabbit", "fake"
  std::optional<std::string> virtual_host;   ///< without the leading slash
  std::vector<transport_host> hosts;         ///< in the order of the URL
  std::map<std::string, std::string> query;  ///< driver options; repeated keys joined by ','

  /// Reads `text` (docs/options.md). Throws `invalid_transport_url`, whose text names the
  /// offending part ("The port of host 2") and repeats nothing but the scheme: where a URL is
  /// malformed, any part of it may be a piece of a password.
  ///
  /// Stricter than oslo: control characters, ports outside 1 to 65535, bad brackets, and names with
  /// several ':' that are no IPv6 address are errors. At most 65,536 bytes.
  static transport_url parse(std::string_view text);

  bool operator==(const transport_url& other) const {
    return transport == other.transport && virtual_host == other.virtual_host &&
           hosts == other.hosts;
  }
};

/// The URL as text, credentials included: for passing on, never for a log.
std::string to_string(const transport_url& url);
/// The URL with each password, and each query value whose key names a secret, replaced by "***".
std::string redacted(const transport_url& url);
/// A sentence for the log when some hosts carry credentials and others do not, else empty.
/// Credentials are never taken from one host for another.
std::string credentials_warning(const transport_url& url);

}  // namespace oslo::messaging

#pragma GCC visibility pop
