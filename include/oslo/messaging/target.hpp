// Where a message goes to, or what a server listens on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// Address of a message, of a server, or of an endpoint (docs/wire/rabbitmq.md, RMQ-18).
///
/// An empty optional is oslo's None: "not given". It differs from an empty string.
/// A server needs topic and server; a client needs topic; an endpoint uses namespace_ and version.
struct target {
  std::optional<std::string> exchange{};    ///< default: option control_exchange
  std::optional<std::string> topic{};       ///< name of the service
  std::optional<std::string> namespace_{};  ///< groups methods
  std::optional<std::string> version{};     ///< "major.minor"
  std::optional<std::string> server{};      ///< one server of the topic
  bool fanout = false;                      ///< every server of the topic
  /// Further namespaces an endpoint answers to. An empty optional stands for the null namespace.
  std::vector<std::optional<std::string>> legacy_namespaces{};

  /// namespace_ followed by legacy_namespaces.
  std::vector<std::optional<std::string>> accepted_namespaces() const;
  bool operator==(const target&) const = default;
};

/// `<Target topic=t, server=s>`: only fields that are set and not empty, in oslo's order.
std::string to_string(const target& t);

/// oslo's version rule: same major, and requested minor (and revision) not above the implemented.
/// An absent `implemented` accepts everything; an absent `requested` is then refused.
/// Throws `messaging_error` (`errc::invalid_argument`) when a given version is not
/// "int.int" or "int.int.int".
bool version_is_compatible(const std::optional<std::string>& implemented,
                           const std::optional<std::string>& requested);

}  // namespace oslo::messaging

#pragma GCC visibility pop
