#include "drivers/amqp1/addresses.hpp"

#include <initializer_list>

namespace oslo::messaging::amqp1 {
namespace {

using kind = destination::kind;

/// Empty parts are left out.
std::string joined(char separator, std::initializer_list<std::string_view> parts) {
  std::string all;
  for (const auto part : parts) {
    if (part.empty()) continue;
    if (!all.empty()) all += separator;
    all += part;
  }
  return all;
}

std::string legacy_address(const destination& d, const address_rules& r) {
  const auto& exchange = d.exchange ? *d.exchange : r.default_exchange;
  const auto& prefix = d.what == kind::multicast ? r.legacy.broadcast
                       : d.what == kind::unicast ? r.legacy.server
                                                 : r.legacy.group;
  const std::string_view last = d.what == kind::multicast ? std::string_view("all")
                                : d.what == kind::unicast ? std::string_view(d.server)
                                                          : std::string_view();
  return joined('.', {prefix, r.virtual_host, exchange, d.topic, last});
}

std::string routable_address(const destination& d, const address_rules& r) {
  const bool rpc = d.of == destination::service::rpc;
  const auto& own = rpc ? r.routable.rpc_exchange : r.routable.notification_exchange;
  const std::string_view usual = own && !own->empty() ? std::string_view(*own)
                                 : !r.default_exchange.empty()
                                     ? std::string_view(r.default_exchange)
                                     : std::string_view("openstack");
  const auto& tag = d.what == kind::multicast ? r.routable.multicast
                    : d.what == kind::unicast ? r.routable.unicast
                                              : r.routable.anycast;
  // The prefix keeps its slash even where it is empty.
  return joined('/', {(rpc ? r.routable.rpc : r.routable.notifications) + "/" + tag, r.virtual_host,
                      d.exchange && !d.exchange->empty() ? std::string_view(*d.exchange) : usual,
                      d.topic, d.what == kind::unicast ? std::string_view(d.server) : ""});
}

}  // namespace

const std::string& address_rules::exchange_of(const destination& d) const {
  return d.exchange ? *d.exchange : default_exchange;
}

std::string address_rules::name_of(const destination& d) const {
  if (d.what == kind::node) return d.topic.empty() ? "a caller" : d.topic;
  return exchange_of(d) + "/" + d.key();
}

bool is_broker_j(std::string_view product) noexcept {
  return product.find("Broker-J") != product.npos;
}

addressing mode_for(addressing configured, std::string_view product) noexcept {
  if (configured != addressing::dynamic) return configured;
  const bool legacy = product.empty() || product == "qpid-cpp" || is_broker_j(product);
  return legacy ? addressing::legacy : addressing::routable;
}

std::string address_of(const destination& d, const address_rules& rules, addressing mode) {
  if (d.what == kind::node) return d.topic;
  return mode == addressing::legacy ? legacy_address(d, rules) : routable_address(d, rules);
}

}  // namespace oslo::messaging::amqp1
