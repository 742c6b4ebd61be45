#include "support/amqp1_broker.hpp"

#include <proton/codec.h>
#include <proton/condition.h>
#include <proton/connection.h>
#include <proton/delivery.h>
#include <proton/disposition.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/message.h>
#include <proton/sasl.h>
#include <proton/session.h>
#include <proton/terminus.h>
#include <proton/transport.h>

#include <algorithm>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <thread>
#include <vector>

namespace oslo::messaging::testing {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using clock = std::chrono::steady_clock;

constexpr int credit = 1'000;
constexpr std::string_view reply_address = "dynamic-";

struct stored {
  std::string bytes;
  std::optional<clock::time_point> expires{};
};

/// What Proton reads of a message.
class decoded {
 public:
  explicit decoded(std::string_view bytes) : message_(pn_message(), &pn_message_free) {
    good_ = pn_message_decode(message_.get(), bytes.data(), bytes.size()) == 0;
  }
  bool good() const { return good_; }
  std::string to() const {
    const char* const a = pn_message_get_address(message_.get());
    return a == nullptr ? "" : a;
  }
  std::uint32_t ttl() const { return pn_message_get_ttl(message_.get()); }
  /// The same message with one more delivery that failed.
  std::string failed_once_more(std::size_t size) {
    auto* const m = message_.get();
    pn_message_set_delivery_count(m, pn_message_get_delivery_count(m) + 1);
    std::string out(size + 1'024, '\0');
    auto length = out.size();
    pn_message_encode(m, out.data(), &length);
    out.resize(length);
    return out;
  }

 private:
  std::unique_ptr<pn_message_t, void (*)(pn_message_t*)> message_;
  bool good_ = false;
};

struct client;
struct queue;

/// A link on which a client receives.
struct receiver {
  client* owner;
  pn_link_t* link;
  std::shared_ptr<queue> from;
  std::map<std::uint64_t, stored> unsettled{};
};

struct queue {
  std::deque<stored> waiting{};
  std::vector<receiver*> receivers{};
  std::size_t turn = 0;
};

bool copies(std::string_view address) {
  return address.find("broadcast.") != address.npos || address.find("/multicast/") != address.npos;
}

/// The nodes, shared by all connections.
struct nodes {
  std::map<std::string, std::shared_ptr<queue>> queues{};
  std::multimap<std::string, std::shared_ptr<queue>> copied{};
  std::set<client*> dirty{};
  std::uint64_t last = 0;

  std::shared_ptr<queue> find(const std::string& address) {
    auto& q = queues[address];
    if (!q) q = std::make_shared<queue>();
    return q;
  }
  void take(const std::string& address, std::string bytes) {
    stored s{std::move(bytes)};
    if (const auto ttl = decoded(s.bytes).ttl(); ttl != 0)
      s.expires = clock::now() + std::chrono::milliseconds(ttl);
    if (!copies(address)) {
      const auto q = find(address);
      q->waiting.push_back(std::move(s));
      return serve(*q);
    }
    const auto [begin, end] = copied.equal_range(address);
    for (auto it = begin; it != end; ++it) {
      it->second->waiting.push_back(s);
      serve(*it->second);
    }
  }
  /// A reply address lives as long as its link.
  bool has(const std::string& address) const {
    return !address.starts_with(reply_address) || queues.contains(address);
  }
  void serve(queue& q);
};

struct client : std::enable_shared_from_this<client> {
  client(tcp::socket s, nodes& n) : socket(std::move(s)), all(n) {
    pn_transport_set_server(transport);
    pn_connection_collect(connection, collector);
    pn_connection_set_container(connection, "test-broker");
    pn_sasl_allowed_mechs(pn_sasl(transport), "ANONYMOUS");
    pn_transport_bind(transport, connection);
  }
  ~client() {
    pn_transport_unbind(transport);
    pn_transport_free(transport);
    pn_connection_free(connection);
    pn_collector_free(collector);
  }
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  void read() {
    socket.async_read_some(asio::buffer(input), [self = shared_from_this()](
                                                    boost::system::error_code ec, std::size_t n) {
      if (ec) return self->gone();
      self->take({self->input.data(), n});
      self->read();
    });
  }
  void take(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto room = pn_transport_capacity(transport);
      if (room <= 0) break;
      const auto n = std::min(bytes.size(), static_cast<std::size_t>(room));
      if (pn_transport_push(transport, bytes.data(), n) < 0) break;
      bytes.remove_prefix(n);
      run();
    }
    all.dirty.insert(this);
    for (auto* const c : std::exchange(all.dirty, {})) c->write();
  }
  void write() {
    if (writing) return;
    output.clear();
    for (;;) {
      const auto n = pn_transport_pending(transport);
      if (n <= 0) break;
      output.append(pn_transport_head(transport), static_cast<std::size_t>(n));
      pn_transport_pop(transport, static_cast<std::size_t>(n));
    }
    run();
    if (output.empty()) return;
    writing = true;
    asio::async_write(socket, asio::buffer(output),
                      [self = shared_from_this()](boost::system::error_code ec, std::size_t) {
                        self->writing = false;
                        if (!ec) self->write();
                      });
  }
  void gone() {
    all.dirty.erase(this);
    while (!receivers.empty()) end_of(receivers.begin()->first, true);
    for (auto* const c : std::exchange(all.dirty, {}))
      if (c != this) c->write();
  }

  void run() {
    while (auto* const e = pn_collector_peek(collector)) {
      handle(e);
      pn_collector_pop(collector);
    }
  }
  void handle(pn_event_t* e) {
    switch (pn_event_type(e)) {
      case PN_CONNECTION_REMOTE_OPEN: {
        auto* const c = pn_connection_offered_capabilities(connection);
        pn_data_put_array(c, false, PN_SYMBOL);
        pn_data_enter(c);
        pn_data_put_symbol(c, pn_bytes(15, "ANONYMOUS-RELAY"));
        pn_data_exit(c);
        return pn_connection_open(connection);
      }
      case PN_SESSION_REMOTE_OPEN: return pn_session_open(pn_event_session(e));
      case PN_LINK_REMOTE_OPEN: return attach(pn_event_link(e));
      case PN_LINK_REMOTE_CLOSE:
        end_of(pn_event_link(e), false);
        return pn_link_close(pn_event_link(e));
      case PN_CONNECTION_REMOTE_CLOSE:
        while (!receivers.empty()) end_of(receivers.begin()->first, true);
        return pn_connection_close(connection);
      case PN_LINK_FLOW:
        if (const auto it = receivers.find(pn_event_link(e)); it != receivers.end())
          all.serve(*it->second->from);
        return;
      case PN_DELIVERY:
        if (pn_link_is_sender(pn_event_link(e))) return settled(pn_event_delivery(e));
        return arrived(pn_event_delivery(e));
      default: return;
    }
  }
  void attach(pn_link_t* l) {
    const bool receives = pn_link_is_sender(l);
    auto* const theirs = receives ? pn_link_remote_source(l) : pn_link_remote_target(l);
    const char* const asked = pn_terminus_get_address(theirs);
    std::string address = asked == nullptr ? "" : asked;
    pn_terminus_copy(pn_link_source(l), pn_link_remote_source(l));
    pn_terminus_copy(pn_link_target(l), pn_link_remote_target(l));
    if (receives && pn_terminus_is_dynamic(theirs)) {
      address = std::string(reply_address) + std::to_string(++all.last);
      pn_terminus_set_address(pn_link_source(l), address.c_str());
    }
    pn_link_open(l);
    if (!receives) {
      addresses[l] = address;
      return pn_link_flow(l, credit);
    }
    auto q = copies(address) ? all.copied.emplace(address, std::make_shared<queue>())->second
                             : all.find(address);
    auto& r = receivers[l] = std::make_unique<receiver>(receiver{this, l, q});
    q->receivers.push_back(r.get());
    all.serve(*q);
  }
  /// What was not settled goes to the front again, in its order.
  void end_of(pn_link_t* l, bool lost) {
    const auto it = receivers.find(l);
    if (it == receivers.end()) return;
    const auto r = std::move(it->second);
    receivers.erase(it);
    auto& q = *r->from;
    std::erase(q.receivers, r.get());
    for (auto m = r->unsettled.rbegin(); m != r->unsettled.rend(); ++m) {
      auto& s = m->second;
      if (lost) s.bytes = decoded(s.bytes).failed_once_more(s.bytes.size());
      q.waiting.push_front(std::move(s));
    }
    std::erase_if(all.copied, [&](const auto& c) { return c.second == r->from; });
    std::erase_if(all.queues, [&](const auto& c) {
      return c.second == r->from && c.first.starts_with(reply_address);
    });
    all.serve(q);
  }
  void arrived(pn_delivery_t* d) {
    if (!pn_delivery_readable(d) || pn_delivery_partial(d)) return;
    auto* const l = pn_delivery_link(d);
    std::string bytes(pn_delivery_pending(d), '\0');
    pn_link_recv(l, bytes.data(), bytes.size());
    pn_link_advance(l);
    const decoded m(bytes);
    const auto address = addresses[l].empty() ? m.to() : addresses[l];
    const bool good = m.good() && all.has(address);
    if (m.good() && !good)
      pn_condition_set_name(pn_disposition_condition(pn_delivery_local(d)), "amqp:not-found");
    pn_delivery_update(d, good ? PN_ACCEPTED : PN_REJECTED);
    pn_delivery_settle(d);
    if (pn_link_credit(l) < credit / 2) pn_link_flow(l, credit - pn_link_credit(l));
    if (good) all.take(address, std::move(bytes));
  }
  void settled(pn_delivery_t* d) {
    const auto outcome = pn_delivery_remote_state(d);
    if (outcome == 0 && !pn_delivery_settled(d)) return;
    const auto it = receivers.find(pn_delivery_link(d));
    const auto number = reinterpret_cast<std::uintptr_t>(pn_delivery_get_context(d));
    const bool failed = pn_disposition_is_failed(pn_delivery_remote(d));
    const bool never = pn_disposition_is_undeliverable(pn_delivery_remote(d));
    pn_delivery_settle(d);
    if (it == receivers.end()) return;
    auto taken = it->second->unsettled.extract(number);
    const bool again = outcome == PN_RELEASED || (outcome == PN_MODIFIED && !never);
    if (taken.empty() || !again) return;
    auto& s = taken.mapped();
    if (failed) s.bytes = decoded(s.bytes).failed_once_more(s.bytes.size());
    auto& q = *it->second->from;
    q.waiting.push_front(std::move(s));
    all.serve(q);
  }

  tcp::socket socket;
  nodes& all;
  pn_collector_t* collector = pn_collector();
  pn_connection_t* connection = pn_connection();
  pn_transport_t* transport = pn_transport();
  std::map<pn_link_t*, std::string> addresses{};
  std::map<pn_link_t*, std::unique_ptr<receiver>> receivers{};
  std::array<char, 65'536> input{};
  std::string output{};
  bool writing = false;
};

/// To one after the other of those who have credit.
void nodes::serve(queue& q) {
  const auto now = clock::now();
  while (!q.waiting.empty()) {
    if (q.waiting.front().expires && *q.waiting.front().expires <= now) {
      q.waiting.pop_front();
      continue;
    }
    receiver* to = nullptr;
    for (std::size_t i = 0; i < q.receivers.size() && to == nullptr; ++i) {
      auto* const r = q.receivers[(q.turn + i) % q.receivers.size()];
      if (pn_link_credit(r->link) > 0) {
        to = r;
        q.turn += i + 1;
      }
    }
    if (to == nullptr) return;
    const auto n = ++last;
    auto* const d = pn_delivery(to->link, pn_dtag(reinterpret_cast<const char*>(&n), sizeof n));
    pn_delivery_set_context(d, reinterpret_cast<void*>(static_cast<std::uintptr_t>(n)));
    auto& s = to->unsettled[n] = std::move(q.waiting.front());
    q.waiting.pop_front();
    pn_link_send(to->link, s.bytes.data(), s.bytes.size());
    pn_link_advance(to->link);
    dirty.insert(to->owner);
  }
}

}  // namespace

struct amqp1_broker::impl {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  nodes all{};
  tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
  std::thread thread{};

  void accept() {
    acceptor.async_accept([this](boost::system::error_code ec, tcp::socket s) {
      if (ec) return;
      s.set_option(tcp::no_delay(true), ec);
      std::make_shared<client>(std::move(s), all)->read();
      accept();
    });
  }
};

amqp1_broker::amqp1_broker() : impl_(std::make_unique<impl>()) {
  impl_->accept();
  impl_->thread = std::thread([i = impl_.get()] { i->io.run(); });
}

amqp1_broker::~amqp1_broker() {
  impl_->io.stop();
  impl_->thread.join();
}

std::string amqp1_broker::url() const {
  return "amqp://127.0.0.1:" + std::to_string(impl_->acceptor.local_endpoint().port()) + "/";
}

}  // namespace oslo::messaging::testing
