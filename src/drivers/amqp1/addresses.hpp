// Which address of AMQP 1.0 a target of oslo stands for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace oslo::messaging::amqp1 {

/// Where a message goes, or a listener listens, before the broker is known.
struct destination {
  enum class kind : std::uint8_t {
    anycast,    ///< one of the servers of a topic
    unicast,    ///< one server
    multicast,  ///< all servers
    node,       ///< `topic` is the address itself
  };
  enum class service : std::uint8_t { rpc, notifications };

  kind what = kind::anycast;
  service of = service::rpc;
  std::optional<std::string> exchange{};  ///< none: that of the options
  std::string topic{};
  std::string server{};

  auto operator<=>(const destination&) const = default;

  /// The routing key as errors name it.
  std::string key() const { return server.empty() ? topic : topic + "." + server; }
};

enum class addressing : std::uint8_t { legacy, routable, dynamic };

/// What the options say about addresses.
struct address_rules {
  addressing mode = addressing::dynamic;
  std::string virtual_host{};  ///< part of every address; empty: none
  std::string default_exchange = "openstack";
  struct {
    std::string server = "exclusive", broadcast = "broadcast", group = "unicast";
  } legacy{};
  struct {
    std::string rpc = "openstack.org/om/rpc", notifications = "openstack.org/om/notify";
    std::string multicast = "multicast", unicast = "unicast", anycast = "anycast";
    std::optional<std::string> rpc_exchange{}, notification_exchange{};
  } routable{};

  /// The exchange of a destination, for errors.
  const std::string& exchange_of(const destination& d) const;
  /// How errors call it: "exchange/topic.server", or the address of a node.
  std::string name_of(const destination& d) const;
};

/// By the product of its Open.
bool is_broker_j(std::string_view product) noexcept;

/// What mode `dynamic` is at a broker of that product (of its Open): as upstream, and legacy also
/// for Qpid Broker-J, which has no routing of its own.
addressing mode_for(addressing configured, std::string_view product) noexcept;

/// Precondition: `mode` is not dynamic.
std::string address_of(const destination& d, const address_rules& rules, addressing mode);

}  // namespace oslo::messaging::amqp1
