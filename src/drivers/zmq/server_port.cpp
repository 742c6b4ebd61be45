#include "drivers/zmq/server_port.hpp"

#include <algorithm>
#include <utility>

#include "core/shown_name.hpp"
#include "core/tasks/guarded.hpp"
#include "drivers/zmq/curve.hpp"

namespace oslo::messaging::zmq {
namespace {

using std::chrono::milliseconds;

constexpr int reads_a_turn = 200;
constexpr milliseconds between_ticks{20};
/// So long a reply waits for a client whose connection was lost.
constexpr milliseconds late_limit{2'000};

std::size_t bytes_of(const frames& message) {
  std::size_t sum = 0;
  for (const auto& f : message) sum += f.size();
  return sum;
}

}  // namespace

server_port::server_port(context_ptr c, std::string server_id)
    : context_(std::move(c)), server_id_(std::move(server_id)) {}

result<void> server_port::bind(const std::vector<std::string>& places) {
  std::string why = "there is none";
  for (const auto& place : places) {
    auto socket = std::make_unique<watched_socket>(context_, ::zmq::socket_type::router);
    try {
      socket->raw().set(::zmq::sockopt::router_mandatory, true);
      secure_server(context_->opts.curve, socket->raw());
      socket->raw().bind(place);
      bound_ = socket->raw().get(::zmq::sockopt::last_endpoint);
    } catch (const ::zmq::error_t& e) {
      why = place + ": " + e.what();
      continue;
    }
    place_ = place;
    socket_ = std::move(socket);
    return {};
  }
  return failure(errc::unreachable, "No server of zmq:// can listen at any of " +
                                        std::to_string(places.size()) +
                                        " places; the last one was " + why + ".");
}

void server_port::start() {
  socket_->start([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look();
  });
}

// ---- reading ------------------------------------------------------------------------------------

void server_port::look() {
  const auto self = shared_from_this();
  for (int i = 0; i < reads_a_turn && socket_ && socket_->receive(in_); ++i) {
    const auto all = in_.views();
    if (all.size() > 1) take(all[0], all.subspan(1));
  }
  look_whether_left();
}

void server_port::take(std::string_view identity, frame_views in) {
  if (in.size() > 1 && in[1] == own_version) {
    if (const auto m = read_own_frames(in))
      take_own(identity, *m);
    else
      context_->log(log_level::warning, m.error().message());
    return;
  }
  const auto m = read_old_frames(in);
  if (!m) return context_->log(log_level::warning, m.error().message());
  if (m->type == old_type::reply || m->type == old_type::ack) return;  // nothing was asked
  if (leaving_) return;
  // Each listener has a port of its own where such peers find it.
  if (!inboxes_.empty()) inboxes_.front()->take_old(identity, *m);
}

void server_port::take_own(std::string_view identity, const own_message& m) {
  if (leaving_) {  // whoever has not gone yet sends again elsewhere what this leaves out
    const auto who = ids_of_identities_.find(identity);
    if (m.what == verb::bye && who != ids_of_identities_.end()) forget(std::string(who->second));
    return;
  }
  if (m.what == verb::hello) return hello(identity, m.head);
  const auto known = ids_of_identities_.find(identity);
  if (known == ids_of_identities_.end()) {
    if (m.what != verb::bye) socket_->send(write_own_frames(verb::who), identity);
    return;
  }
  const std::string client_id = known->second;
  switch (m.what) {
    case verb::ping: return tell(client_id, verb::pong, m.id);
    case verb::bye: return forget(client_id);
    case verb::request: break;
    default:
      return context_->log(log_level::warning, "A client of zmq:// sent what only servers send.");
  }
  const auto head = read_request_head(m.head);
  if (!head) return context_->log(log_level::warning, head.error().message());
  for (const auto& i : inboxes_)
    for (const auto& s : i->subscriptions())
      if (s.id == head->subscription && !i->stopped()) {
        const auto held = i;
        return held->take(client_id, m, *head);
      }
  // It has stopped meanwhile, as the client learns with the greeting before this.
  tell(client_id, verb::returned, m.id,
       write_returned({head->subscription, head->requeues, head->again}));
}

void server_port::hello(std::string_view identity, std::string_view id) {
  if (id.empty() || id.size() > 64)
    return context_->log(log_level::warning, "A client of zmq:// has no usable id.");
  const std::string client_id(id);
  if (const auto old = clients_.find(client_id); old != clients_.end()) {
    ids_of_identities_.erase(old->second.identity);
    for (const auto& i : inboxes_) i->forget_waiting(client_id);
  } else if (clients_.size() >= most_clients) {
    return context_->log(log_level::warning, "A client of zmq:// was not let in: there are " +
                                                 std::to_string(clients_.size()) + " already.");
  }
  clients_[client_id] = {std::string(identity)};
  ids_of_identities_[std::string(identity)] = client_id;
  tell(client_id, verb::welcome, {}, greeting_text());
  std::deque<late_reply> rest;
  for (auto& r : std::exchange(late_, {})) {
    if (r.client != client_id) {
      rest.push_back(std::move(r));
      continue;
    }
    const auto now = clients_.find(client_id);
    if (now == clients_.end()) break;
    send(now->second, std::move(r.message));
    if (r.done) call_guarded(*context_->loop, r.done, result<void>{});
  }
  for (auto& r : rest) late_.push_back(std::move(r));
}

void server_port::forget(const std::string& client_id) {
  const auto found = clients_.find(client_id);
  if (found == clients_.end()) return;
  ids_of_identities_.erase(found->second.identity);
  clients_.erase(found);
  for (const auto& i : inboxes_) i->client_left(client_id);
}

// ---- writing ------------------------------------------------------------------------------------

sent server_port::send(client& to, frames message) {
  if (!socket_) return sent::nobody;
  if (to.unread.empty()) {
    const auto r = socket_->send(message, to.identity);
    if (r != sent::full) return r;
  }
  to.unread_bytes += bytes_of(message);
  if (to.unread.size() >= most_unread || to.unread_bytes > most_unread_bytes) return sent::full;
  to.unread.push_back(std::move(message));
  tick_soon();
  return sent::yes;
}

void server_port::tell(const std::string& client_id, verb what, std::string_view id,
                       std::string head) {
  const auto found = clients_.find(client_id);
  if (found == clients_.end()) return;
  // One that does not read is forgotten; its next word is answered with `who`, and it begins again.
  if (send(found->second, write_own_frames(what, id, std::move(head))) != sent::yes) {
    ids_of_identities_.erase(found->second.identity);
    clients_.erase(found);
  }
}

void server_port::settle(const std::string& client_id, std::string id) {
  const auto found = clients_.find(client_id);
  if (found == clients_.end()) return;
  if (found->second.settled.empty()) with_settled_.push_back(client_id);
  found->second.settled.push_back(std::move(id));
  if (std::exchange(settling_, true)) return;
  context_->loop->post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->flush_settled();
  });
}

void server_port::flush_settled() {
  settling_ = false;
  for (const auto& client_id : std::exchange(with_settled_, {})) {
    const auto found = clients_.find(client_id);
    if (found == clients_.end()) continue;
    std::string head;
    for (const auto& id : std::exchange(found->second.settled, {})) {
      if (!head.empty()) head += ' ';
      head += id;
    }
    if (!head.empty()) tell(client_id, verb::settled, {}, std::move(head));
  }
}

void server_port::reply(const arrived& to, std::string body, bool heartbeat,
                        unique_function<void(result<void>)> done) {
  const auto end = [&](result<void> r) {
    if (done)
      context_->loop->post([done = std::move(done), r = std::move(r)]() mutable { done(r); });
  };
  const auto undeliverable = [] {
    return failure(errc::undeliverable, "The caller is not connected any more.");
  };
  if (!socket_) return end(undeliverable());
  if (to.old) {
    const auto r =
        socket_->send(write_old_frames(old_type::reply, to.id, std::move(body)), to.client);
    if (r == sent::nobody) return end(undeliverable());
    if (r == sent::full)
      return end(failure(errc::limit_exceeded, "The caller does not read what it asked for."));
    return end({});
  }
  auto message = write_own_frames(verb::reply, to.id, {}, std::move(body));
  const auto found = clients_.find(to.client);
  auto r = found != clients_.end() ? send(found->second, message) : sent::nobody;
  if (r == sent::yes) return end({});
  if (r == sent::full)
    return end(failure(errc::limit_exceeded, "The caller does not read what it asked for."));
  if (found != clients_.end()) {  // the connection is lost: it may come back
    ids_of_identities_.erase(found->second.identity);
    clients_.erase(found);
  }
  if (heartbeat) return end(undeliverable());
  if (late_.size() >= most_unread) return end(undeliverable());
  late_.push_back(
      {to.client, std::move(message), context_->loop->now() + late_limit, std::move(done)});
  tick_soon();
}

void server_port::tick_soon() {
  if (closed_ || std::exchange(ticking_, true)) return;
  timer_ = context_->loop->run_at(context_->loop->now() + between_ticks, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->tick();
  });
}

void server_port::tick() {
  ticking_ = false;
  if (closed_) return;
  bool more = false;
  for (auto at = clients_.begin(); at != clients_.end();) {
    auto& c = at->second;
    auto r = sent::yes;
    while (!c.unread.empty() && (r = socket_->send(c.unread.front(), c.identity)) == sent::yes) {
      c.unread_bytes -= bytes_of(c.unread.front());
      c.unread.pop_front();
    }
    if (r == sent::nobody) {
      ids_of_identities_.erase(c.identity);
      at = clients_.erase(at);
      continue;
    }
    more = more || !c.unread.empty();
    ++at;
  }
  const auto now = context_->loop->now();
  while (!late_.empty() && late_.front().until <= now) {
    auto r = std::move(late_.front());
    late_.pop_front();
    if (r.done)
      call_guarded(
          *context_->loop, r.done,
          result<void>(failure(errc::undeliverable, "The caller is not connected any more.")));
  }
  if (more || !late_.empty()) tick_soon();
}

// ---- listeners ----------------------------------------------------------------------------------

std::string server_port::greeting_text() const {
  greeting g{server_id_, {}};
  for (const auto& i : inboxes_)
    if (!i->stopped())
      g.all.insert(g.all.end(), i->subscriptions().begin(), i->subscriptions().end());
  return write_greeting(g);
}

void server_port::greet_all() {
  std::vector<std::string> all;
  for (const auto& [id, c] : clients_) all.push_back(id);
  const auto text = greeting_text();
  for (const auto& id : all) tell(id, verb::welcome, {}, text);
}

void server_port::add(std::shared_ptr<inbox> i) {
  inboxes_.push_back(std::move(i));
  greet_all();
}

void server_port::listener_stopped(inbox& i) {
  greet_all();
  if (on_stopped_) on_stopped_(i);
}

void server_port::listener_gone(inbox& i) {
  const auto self = shared_from_this();
  flush_settled();
  std::erase_if(inboxes_, [&](const auto& each) { return each.get() == &i; });
  if (on_gone_) on_gone_(i);
}

void server_port::stop_listeners() {
  const auto all = inboxes_;
  for (const auto& i : all) i->stop();
}

void server_port::say_bye() {
  flush_settled();
  std::vector<std::string> all;
  for (const auto& [id, c] : clients_) all.push_back(id);
  for (const auto& id : all) tell(id, verb::bye, {});
}

void server_port::leave(std::chrono::milliseconds limit, unique_function<void()> done) {
  on_left_ = std::move(done);
  if (closed_ || !socket_ || limit <= milliseconds::zero()) return close();
  say_bye();
  leaving_ = true;
  farewell_ = context_->loop->run_at(context_->loop->now() + limit, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->close();
  });
  look_whether_left();
}

void server_port::look_whether_left() {
  if (leaving_ && clients_.empty()) close();
}

void server_port::close() {
  if (std::exchange(closed_, true)) return;
  context_->loop->cancel(timer_);
  context_->loop->cancel(farewell_);
  if (on_left_) context_->loop->post(std::exchange(on_left_, nullptr));
  if (!socket_) return;
  if (!leaving_) say_bye();
  socket_.reset();
  for (auto& r : std::exchange(late_, {}))
    if (r.done)
      context_->loop->post([done = std::move(r.done)]() mutable {
        done(failure(errc::closed, "The transport was closed."));
      });
}

}  // namespace oslo::messaging::zmq
