#include "drivers/zmq/peer.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "drivers/zmq/curve.hpp"

namespace oslo::messaging::zmq {
namespace {

using namespace std::chrono_literals;

constexpr int reads_a_turn = 200;
/// A server that does not answer for so long cannot be reached for now.
constexpr auto time_to_meet = 500ms;
constexpr auto between_beats = 1s;
constexpr auto longest_silence = 4s;

}  // namespace

peer::peer(context_ptr c, server_address where, std::string client_id, peer_events& owner)
    : context_(std::move(c)),
      where_(std::move(where)),
      client_id_(std::move(client_id)),
      owner_(owner) {}

void peer::start() {
  open();
}

/// A new socket: what came over the one before counts no more.
void peer::open() {
  state_ = state::dialing;
  since_ = context_->loop->now();
  socket_.reset();
  try {
    socket_ = std::make_unique<watched_socket>(context_, ::zmq::socket_type::dealer);
    auto& s = socket_->raw();
    s.set(::zmq::sockopt::immediate, true);
    // The windows of its lanes are the bound, but for peers that acknowledge nothing.
    if (where_.own) s.set(::zmq::sockopt::sndhwm, 0);
    secure_client(context_->opts.curve, s);
    s.connect(where_.endpoint);
  } catch (const ::zmq::error_t& e) {
    socket_.reset();
    context_->log(log_level::warning, "The server of zmq:// at " + where_.endpoint +
                                          " cannot be connected to: " + e.what() + ".");
    return;
  }
  socket_->start([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look();
  });
}

bool peer::is_settled(scheduler::time_point now) const noexcept {
  return state_ == state::up || now - since_ >= time_to_meet;
}

void peer::sync(std::uint64_t n) {
  if (state_ != state::up || !where_.own) return;
  asked_ = std::max(asked_, n);
  socket_->send(write_own_frames(verb::ping, std::to_string(n)));
}

void peer::look() {
  const auto self = shared_from_this();
  if (!socket_) return;
  for (int i = 0; i < reads_a_turn && socket_ && socket_->receive(in_); ++i) take(in_.views());
  if (!socket_) return;
  const bool connected = socket_->writable();
  if (!connected && state_ != state::dialing) return lost();
  if (!connected || state_ != state::dialing) return;
  heard_ = beaten_ = context_->loop->now();
  if (where_.own) {
    state_ = state::greeting;
    socket_->send(write_own_frames(verb::hello, {}, client_id_));
    return;
  }
  state_ = state::up;
  for (const auto& name : std::exchange(old_names_, {})) add_old_lane(name);
  owner_.lanes_changed();
  owner_.synced();
}

void peer::take(frame_views in) {
  heard_ = context_->loop->now();
  if (!where_.own) {
    const auto m = read_old_frames(in);
    if (!m) return context_->log(log_level::warning, m.error().message());
    if (m->type == old_type::reply) owner_.answered(m->id, true, m->body);
    return;
  }
  const auto m = read_own_frames(in);
  if (!m) return context_->log(log_level::warning, m.error().message());
  take_own(*m);
}

void peer::take_own(const own_message& m) {
  switch (m.what) {
    case verb::welcome: return greeted(m.head);
    case verb::pong:
      synced_ = std::max<std::uint64_t>(synced_, read_number(m.id).value_or(0));
      return owner_.synced();
    case verb::who: return lost();
    case verb::bye: return lost(true);
    case verb::taken:
      if (const auto c = find(m.id)) {
        landed(*c);
        owner_.taken(c);
        owner_.room_found();
      }
      return;
    case verb::settled: {
      auto rest = m.head;
      while (!rest.empty()) {
        const auto end = std::min(rest.find(' '), rest.size());
        settle(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
      return owner_.room_found();
    }
    case verb::busy: return busy(m);
    case verb::room: return room(m);
    case verb::returned: return returned(m);
    case verb::reply: {
      owner_.answered(m.id, false, m.body);
      return;
    }
    default: context_->log(log_level::warning, "A server of zmq:// sent what only clients send.");
  }
}

copy_ptr peer::find(std::string_view id) const {
  const auto found = unsettled_.find(std::string(id));
  return found != unsettled_.end() ? found->second : nullptr;
}

void peer::landed(copy& c) {
  if (!std::exchange(c.in_flight, false) || c.on == nullptr) return;
  --c.on->in_flight;
  c.on->bytes_in_flight -= c.bytes;
}

void peer::settle(std::string_view id) {
  const auto c = find(id);
  if (!c) return;
  landed(*c);
  unsettled_.erase(c->id);
  c->on = nullptr;
  owner_.acknowledged(c);
}

void peer::drop(const std::string& id) {
  const auto c = find(id);
  if (!c) return;
  landed(*c);
  unsettled_.erase(id);
  c->on = nullptr;
}

// ---- lanes --------------------------------------------------------------------------------------

void peer::greeted(std::string_view head) {
  auto g = read_greeting(head);
  if (!g) {
    context_->log(log_level::warning, g.error().message());
    return lost();
  }
  std::vector<std::unique_ptr<lane>> kept;
  for (auto& s : g->all) {
    const auto same = std::find_if(lanes_.begin(), lanes_.end(),
                                   [&](const auto& l) { return l && l->what == s; });
    if (same != lanes_.end()) {
      kept.push_back(std::move(*same));
    } else {
      kept.push_back(std::make_unique<lane>());
      kept.back()->to = this;
      kept.back()->what = std::move(s);
    }
  }
  const auto gone = std::exchange(lanes_, std::move(kept));
  // What is on its way to one that has gone comes back, or is answered; it has no window any more.
  for (auto& [id, c] : unsettled_)
    for (const auto& l : gone)
      if (l && c->on == l.get()) {
        c->on = nullptr;
        c->in_flight = false;
      }
  state_ = state::up;
  owner_.lanes_changed();
  owner_.synced();
}

void peer::add_old_lane(const service_name& name) {
  if (state_ != state::up) {
    if (std::find(old_names_.begin(), old_names_.end(), name) == old_names_.end())
      old_names_.push_back(name);
    return;
  }
  for (const auto& l : lanes_)
    if (l->what.topic == name.topic && l->what.server == name.server) return;
  lanes_.push_back(std::make_unique<lane>());
  lanes_.back()->to = this;
  lanes_.back()->what.topic = name.topic;
  lanes_.back()->what.server = name.server;
  lanes_.back()->what.id = static_cast<std::uint32_t>(lanes_.size());
  owner_.lanes_changed();
}

bool peer::send(lane& on, const copy_ptr& c, std::string body, std::string head) {
  if (state_ != state::up) return false;
  if (socket_->send(write_own_frames(verb::request, c->id, std::move(head), std::move(body))) !=
      sent::yes)
    return false;
  c->on = &on;
  c->turn = on.turn;
  c->sent_as = ++on.sent;
  c->in_flight = true;
  ++on.in_flight;
  on.bytes_in_flight += c->bytes;
  if (on.credit > 0 && --on.credit == 0) {
    on.open = false;
    ++on.turn;
  }
  unsettled_[c->id] = c;
  return true;
}

bool peer::send_old(old_type type, std::string_view id, std::string body) {
  return state_ == state::up &&
         socket_->send(write_old_frames(type, id, std::move(body))) == sent::yes;
}

/// All of that turn from this one on is refused.
void peer::busy(const own_message& m) {
  const auto t = read_turn(m.head);
  if (!t) return context_->log(log_level::warning, t.error().message());
  const auto first = find(m.id);
  if (!first || first->on == nullptr || first->on->what.id != t->subscription ||
      first->turn != t->turn)
    return;
  lane& l = *first->on;
  if (l.turn == t->turn) {
    l.open = false;
    ++l.turn;
  }
  std::vector<copy_ptr> back;
  for (const auto& [id, c] : unsettled_)
    if (c->on == &l && c->turn == t->turn && c->in_flight && c->sent_as >= first->sent_as)
      back.push_back(c);
  for (auto& c : back) {
    landed(*c);
    unsettled_.erase(c->id);
    c->on = nullptr;
    owner_.put_back(std::move(c));
  }
}

/// It may be about an earlier way to this peer: then the message is on its way again already.
void peer::returned(const own_message& m) {
  const auto h = read_returned(m.head);
  if (!h) return context_->log(log_level::warning, h.error().message());
  auto c = find(m.id);
  if (!c || (c->on != nullptr && c->on->what.id != h->subscription)) return;
  landed(*c);
  unsettled_.erase(c->id);
  c->on = nullptr;
  c->again = c->again || h->again;
  c->requeues = h->requeues;
  owner_.put_back(std::move(c));
}

void peer::room(const own_message& m) {
  const auto t = read_turn(m.head);
  if (!t) return context_->log(log_level::warning, t.error().message());
  for (const auto& l : lanes_)
    if (l->what.id == t->subscription) {
      l->turn = t->turn;
      l->credit = t->credit;
      l->open = true;
      owner_.room_found();
    }
}

void peer::retire() {
  state_ = state::dialing;
  lanes_.clear();
  owner_.lanes_changed();
  put_all_back(false);
  close();
}

/// `said_bye`: it has told of all that it took, but for calls, whose reply says it.
void peer::put_all_back(bool said_bye) {
  for (auto& [id, c] : std::exchange(unsettled_, {})) {
    const bool untouched = said_bye && c->in_flight && c->what->call_id.empty();
    c->on = nullptr;
    c->in_flight = false;
    c->again = c->again || !untouched;
    owner_.put_back(c);
  }
}

void peer::lost(bool said_bye) {
  if (state_ == state::dialing) return;
  if (!where_.own)
    for (const auto& l : lanes_) old_names_.push_back({l->what.topic, l->what.server});
  lanes_.clear();
  owner_.lanes_changed();
  put_all_back(said_bye);
  // It reads until this comes: one that closed with words unread would take back its last ones.
  if (said_bye && socket_) socket_->send(write_own_frames(verb::bye));
  open();
  owner_.synced();
}

void peer::beat(scheduler::time_point now) {
  if (!socket_ && now - since_ >= between_beats) return open();
  if (!where_.own || state_ == state::dialing || now - beaten_ < between_beats) return;
  if (now - heard_ > longest_silence) return lost();
  beaten_ = now;
  if (state_ == state::up) socket_->send(write_own_frames(verb::ping, std::to_string(asked_)));
}

void peer::close() {
  if (!socket_) return;
  if (where_.own && state_ != state::dialing) socket_->send(write_own_frames(verb::bye));
  socket_.reset();
  state_ = state::dialing;
}

}  // namespace oslo::messaging::zmq
