// A broker of AMQP 1.0 without a socket: a second engine of Proton, which a test tells what to do.
#pragma once

#include <proton/codec.h>
#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace amqp1_script {

/// Answers as brokers do; with `routes` it also delivers what is sent to an address to whoever
/// receives from it, and keeps it until then.
class peer {
 public:
  /// What a client has sent.
  struct message {
    std::string address;  ///< of the link; empty: of the relay
    std::string bytes;
    bool settled = false;
    pn_delivery_t* delivery = nullptr;  ///< null: it has its outcome
  };
  struct node_link {
    pn_link_t* link = nullptr;
    std::string address;
    bool to_client = false;  ///< the client receives
  };

  // ---- how it behaves ----
  std::string product = "qpid-cpp";
  bool relay = true;
  std::string mechanisms = "ANONYMOUS";
  int credit = 100;     ///< of a new sender of the client; 0: none
  bool accepts = true;  ///< each message, at once
  bool routes = false;
  std::set<std::string> missing{};  ///< nodes that do not exist for receivers until somebody sends
  std::map<std::string, std::string> refused{};  ///< address to the condition that refuses it
  bool dynamic_nodes = true;

  // ---- what it has seen ----
  std::deque<message> received{};
  std::vector<node_link> links{};  ///< those that are open
  std::vector<std::string> attached{};
  std::string container{}, hostname{};
  std::map<std::string, std::string> properties{};
  bool closed_by_client = false;

  peer() { begin(); }
  ~peer() { end(); }
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;

  /// A new connection.
  void begin() {
    end();
    collector_ = pn_collector();
    connection_ = pn_connection();
    transport_ = pn_transport();
    pn_transport_set_server(transport_);
    pn_connection_collect(connection_, collector_);
    pn_connection_set_container(connection_, "scripted");
    auto* const sasl = pn_sasl(transport_);
    pn_sasl_allowed_mechs(sasl, mechanisms.c_str());
    pn_sasl_set_allow_insecure_mechs(sasl, true);
    pn_transport_bind(transport_, connection_);
    links.clear();
    closed_by_client = false;
  }

  /// Takes the client's bytes.
  void take(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto room = pn_transport_capacity(transport_);
      if (room <= 0) return;
      const auto n = std::min(bytes.size(), static_cast<std::size_t>(room));
      pn_transport_push(transport_, bytes.data(), n);
      bytes.remove_prefix(n);
      run();
    }
  }
  /// What it has to say.
  std::string output() {
    run();
    std::string out;
    for (;;) {
      const auto n = pn_transport_pending(transport_);
      if (n <= 0) return out;
      out.append(pn_transport_head(transport_), static_cast<std::size_t>(n));
      pn_transport_pop(transport_, static_cast<std::size_t>(n));
      run();
    }
  }

  // ---- what the test does ----
  node_link& link_of(const std::string& address, bool to_client) {
    for (auto& l : links)
      if (l.address == address && l.to_client == to_client) return l;
    throw std::runtime_error("the client has no such link to " + address);
  }
  bool has_link(const std::string& address, bool to_client) const {
    return std::any_of(links.begin(), links.end(), [&](const node_link& l) {
      return l.address == address && l.to_client == to_client;
    });
  }
  void grant(const std::string& address, int messages) {
    pn_link_flow(link_of(address, false).link, messages);
  }
  void deliver(const std::string& address, std::string_view bytes, bool settled = false) {
    send_on(link_of(address, true).link, bytes, settled);
  }
  int credit_of(const std::string& address) { return pn_link_credit(link_of(address, true).link); }
  /// The outcome of the oldest message without one.
  void settle(std::uint64_t outcome, const char* why = nullptr, bool failed = false,
              const char* words = "") {
    for (auto& m : received) {
      if (m.delivery == nullptr) continue;
      auto* const local = pn_delivery_local(m.delivery);
      if (why != nullptr) {
        pn_condition_set_name(pn_disposition_condition(local), why);
        pn_condition_set_description(pn_disposition_condition(local), words);
      }
      if (failed) pn_disposition_set_failed(local, true);
      pn_delivery_update(m.delivery, outcome);
      pn_delivery_settle(m.delivery);
      m.delivery = nullptr;
      return;
    }
    throw std::runtime_error("no message waits for its outcome");
  }
  void detach(const std::string& address, bool to_client, const char* why) {
    auto* const l = link_of(address, to_client).link;
    pn_condition_set_name(pn_link_condition(l), why);
    pn_condition_set_description(pn_link_condition(l), "as the test says");
    pn_link_close(l);
    forget(l);
  }
  void end_session() { pn_session_close(pn_session_head(connection_, 0)); }
  void close(const char* why, const char* words = "") {
    auto* const c = pn_connection_condition(connection_);
    pn_condition_set_name(c, why);
    pn_condition_set_description(c, words);
    pn_connection_close(connection_);
  }
  void redirect(const char* host, int port) {
    auto* const c = pn_connection_condition(connection_);
    pn_condition_set_name(c, "amqp:connection:redirect");
    point_to(c, host, port);
    pn_connection_close(connection_);
  }
  /// What the client did with the n-th delivery: "accepted", "rejected", "released", "modified", or
  /// empty.
  std::string outcome(std::size_t n) const { return n < outcomes_.size() ? outcomes_[n] : ""; }
  std::size_t settled_deliveries() const {
    return static_cast<std::size_t>(std::count_if(outcomes_.begin(), outcomes_.end(),
                                                  [](const auto& o) { return !o.empty(); }));
  }

 private:
  /// What a redirect says of where to go.
  static void point_to(pn_condition_t* c, const char* host, int port) {
    auto* const info = pn_condition_info(c);
    pn_data_put_map(info);
    pn_data_enter(info);
    pn_data_put_symbol(info, pn_bytes(12, "network-host"));
    pn_data_put_string(info, pn_bytes(std::string_view(host).size(), host));
    pn_data_put_symbol(info, pn_bytes(4, "port"));
    pn_data_put_int(info, port);
    pn_data_exit(info);
  }
  void end() {
    if (transport_ == nullptr) return;
    pn_transport_unbind(transport_);
    pn_transport_free(transport_);
    pn_connection_free(connection_);
    pn_collector_free(collector_);
    transport_ = nullptr;
    delivered_ = 0;
    outcomes_.clear();
    for (auto& m : received) m.delivery = nullptr;
  }
  void forget(pn_link_t* l) {
    std::erase_if(links, [&](const node_link& n) { return n.link == l; });
  }

  void run() {
    while (auto* const e = pn_collector_peek(collector_)) {
      handle(e);
      pn_collector_pop(collector_);
    }
    if (routes) route();
  }
  void handle(pn_event_t* e) {
    switch (pn_event_type(e)) {
      case PN_CONNECTION_REMOTE_OPEN: return opened();
      case PN_SESSION_REMOTE_OPEN: return pn_session_open(pn_event_session(e));
      case PN_LINK_REMOTE_OPEN: return attach(pn_event_link(e));
      case PN_LINK_REMOTE_CLOSE: forget(pn_event_link(e)); return pn_link_close(pn_event_link(e));
      case PN_CONNECTION_REMOTE_CLOSE:
        closed_by_client = true;
        return pn_connection_close(connection_);
      case PN_DELIVERY: return delivery(pn_event_delivery(e));
      default: return;
    }
  }
  void opened() {
    container = pn_connection_remote_container(connection_);
    const char* const host = pn_connection_remote_hostname(connection_);
    hostname = host == nullptr ? "" : host;
    auto* const d = pn_connection_remote_properties(connection_);
    pn_data_rewind(d);
    if (pn_data_next(d) && pn_data_type(d) == PN_MAP) {
      pn_data_enter(d);
      while (pn_data_next(d)) {
        const auto key = pn_data_get_symbol(d);
        const std::string name(key.start, key.size);
        pn_data_next(d);
        const auto text = pn_data_get_string(d);
        properties[name] = pn_data_type(d) == PN_STRING ? std::string(text.start, text.size) : "?";
      }
    }
    auto* const p = pn_connection_properties(connection_);
    if (!product.empty()) {
      pn_data_put_map(p);
      pn_data_enter(p);
      pn_data_put_symbol(p, pn_bytes(7, "product"));
      pn_data_put_string(p, pn_bytes(product.size(), product.data()));
      pn_data_exit(p);
    }
    if (relay) {
      auto* const c = pn_connection_offered_capabilities(connection_);
      pn_data_put_array(c, false, PN_SYMBOL);
      pn_data_enter(c);
      pn_data_put_symbol(c, pn_bytes(15, "ANONYMOUS-RELAY"));
      pn_data_exit(c);
    }
    pn_connection_open(connection_);
  }
  void attach(pn_link_t* l) {
    const bool to_client = pn_link_is_sender(l);
    auto* const theirs = to_client ? pn_link_remote_source(l) : pn_link_remote_target(l);
    const char* const asked = pn_terminus_get_address(theirs);
    std::string address = asked == nullptr ? "" : asked;
    const bool dynamic = to_client && pn_terminus_is_dynamic(theirs);
    std::string why;
    if (dynamic) {
      address = "reply-" + std::to_string(++nodes_);
      if (!dynamic_nodes) why = "amqp:not-implemented";
    }
    if (const auto it = refused.find(address); it != refused.end()) why = it->second;
    if (to_client && missing.contains(address)) why = "amqp:not-found";
    attached.push_back((to_client ? "from " : "to ") + (dynamic ? "dynamic" : address));
    if (!why.empty()) {
      pn_link_open(l);
      pn_condition_set_name(pn_link_condition(l), why.c_str());
      if (why == "amqp:link:redirect") point_to(pn_link_condition(l), "elsewhere", 5673);
      return pn_link_close(l);
    }
    if (!to_client) missing.erase(address);
    pn_terminus_copy(pn_link_source(l), pn_link_remote_source(l));
    pn_terminus_copy(pn_link_target(l), pn_link_remote_target(l));
    if (dynamic) pn_terminus_set_address(pn_link_source(l), address.c_str());
    pn_link_open(l);
    if (!to_client) pn_link_flow(l, credit);
    links.push_back({l, address, to_client});
  }
  void delivery(pn_delivery_t* d) {
    auto* const l = pn_delivery_link(d);
    if (pn_link_is_sender(l)) {
      const auto n = reinterpret_cast<std::uintptr_t>(pn_delivery_get_context(d));
      if (n == 0 || pn_delivery_remote_state(d) == 0) return;
      outcomes_.resize(std::max(outcomes_.size(), n));
      outcomes_[n - 1] = name_of(pn_delivery_remote_state(d));
      pn_delivery_settle(d);
      return;
    }
    if (!pn_delivery_readable(d) || pn_delivery_partial(d)) return;
    message m;
    for (const auto& one : links)
      if (one.link == l) m.address = one.address;
    m.bytes.resize(pn_delivery_pending(d));
    pn_link_recv(l, m.bytes.data(), m.bytes.size());
    m.settled = pn_delivery_settled(d);
    m.delivery = d;
    pn_link_advance(l);
    if (m.settled || accepts) {
      if (!m.settled) pn_delivery_update(d, PN_ACCEPTED);
      pn_delivery_settle(d);
      m.delivery = nullptr;
    }
    if (pn_link_credit(l) < credit / 2) pn_link_flow(l, credit - pn_link_credit(l));
    received.push_back(m);
    if (routes) waiting_.push_back(m);
  }
  /// To one receiver of the address; to all of a broadcast.
  void route() {
    for (auto it = waiting_.begin(); it != waiting_.end();) {
      const auto to = it->address.empty() ? to_of(it->bytes) : it->address;
      std::vector<std::string> seen;
      bool sent = false;
      const bool all = to.find("broadcast") != to.npos || to.find("multicast") != to.npos;
      for (std::size_t i = 0; i < links.size(); ++i) {
        auto& l = links[(i + turn_) % links.size()];
        if (!l.to_client || l.address != to || (sent && !all)) continue;
        if (pn_link_credit(l.link) <= 0 && !all) continue;
        send_on(l.link, it->bytes, it->settled);
        sent = true;
      }
      if (sent) ++turn_;
      it = sent || all ? waiting_.erase(it) : std::next(it);
    }
  }
  void send_on(pn_link_t* l, std::string_view bytes, bool settled) {
    ++tag_;
    auto* const d = pn_delivery(l, pn_dtag(reinterpret_cast<const char*>(&tag_), sizeof tag_));
    pn_delivery_set_context(d, reinterpret_cast<void*>(static_cast<std::uintptr_t>(++delivered_)));
    pn_link_send(l, bytes.data(), bytes.size());
    pn_link_advance(l);
    if (settled) pn_delivery_settle(d);
  }
  static const char* name_of(std::uint64_t outcome) {
    switch (outcome) {
      case PN_ACCEPTED: return "accepted";
      case PN_REJECTED: return "rejected";
      case PN_RELEASED: return "released";
      case PN_MODIFIED: return "modified";
      default: return "?";
    }
  }
  /// Property `to` of a message.
  static std::string to_of(const std::string& bytes) {
    auto* const d = pn_data(16);
    std::string_view rest = bytes;
    std::string to;
    while (!rest.empty()) {
      pn_data_clear(d);
      const auto n = pn_data_decode(d, rest.data(), rest.size());
      if (n <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(n));
      pn_data_rewind(d);
      pn_data_next(d);
      pn_data_enter(d);
      pn_data_next(d);
      if (pn_data_get_ulong(d) != 0x73) continue;
      pn_data_next(d);
      pn_data_enter(d);
      for (int i = 0; i < 3; ++i) pn_data_next(d);
      const auto text = pn_data_get_string(d);
      to.assign(text.start, text.size);
    }
    pn_data_free(d);
    return to;
  }

  pn_collector_t* collector_ = nullptr;
  pn_connection_t* connection_ = nullptr;
  pn_transport_t* transport_ = nullptr;
  std::uint64_t tag_ = 0;
  int nodes_ = 0;
  std::size_t turn_ = 0;
  std::size_t delivered_ = 0;
  std::vector<std::string> outcomes_{};
  std::deque<message> waiting_{};
};

}  // namespace amqp1_script
