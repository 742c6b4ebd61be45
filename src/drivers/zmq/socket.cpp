#include "drivers/zmq/socket.hpp"

#include <algorithm>
#include <utility>

namespace oslo::messaging::zmq {
namespace {

constexpr int heartbeat_ms = 1'000, silence_ms = 3'000;

}  // namespace

watched_socket::state::state(context_ptr c, ::zmq::socket_type type)
    : context(std::move(c)), socket(context->sockets, type), fd(context->loop->executor()) {
  const auto& o = context->opts;
  socket.set(::zmq::sockopt::linger, static_cast<int>(o.linger.count()));
  socket.set(::zmq::sockopt::maxmsgsize, largest_message);
  socket.set(::zmq::sockopt::ipv6, true);
  socket.set(::zmq::sockopt::heartbeat_ivl, heartbeat_ms);
  socket.set(::zmq::sockopt::heartbeat_timeout, silence_ms);
  socket.set(::zmq::sockopt::heartbeat_ttl, silence_ms);
  socket.set(::zmq::sockopt::tcp_keepalive, o.keepalive);
  const auto or_default = [](int n) { return n > 0 ? n : -1; };
  socket.set(::zmq::sockopt::tcp_keepalive_idle, or_default(o.keepalive_idle));
  socket.set(::zmq::sockopt::tcp_keepalive_cnt, or_default(o.keepalive_count));
  socket.set(::zmq::sockopt::tcp_keepalive_intvl, or_default(o.keepalive_interval));
  socket.set(::zmq::sockopt::reconnect_ivl, 50);
  socket.set(::zmq::sockopt::reconnect_ivl_max, 400);
}

watched_socket::watched_socket(const context_ptr& c, ::zmq::socket_type type)
    : state_(std::make_shared<state>(c, type)) {}

void watched_socket::start(unique_function<void()> look) {
  state_->look = std::move(look);
  state_->fd.assign(state_->socket.get(::zmq::sockopt::fd));
  look_soon(state_);
}

void watched_socket::look_soon(const std::shared_ptr<state>& s) {
  if (!s->open || !s->look || std::exchange(s->posted, true)) return;
  s->context->loop->post([s] {
    s->posted = false;
    run(s);
  });
}

void watched_socket::run(const std::shared_ptr<state>& s) {
  if (!s->open) return;
  s->look();
  if (!s->open) return;
  // What the look has left would bring no new edge.
  if (s->socket.get(::zmq::sockopt::events) & ZMQ_POLLIN) return look_soon(s);
  if (std::exchange(s->waiting, true)) return;
  s->fd.async_wait(boost::asio::posix::descriptor_base::wait_read,
                   [s](boost::system::error_code ec) {
                     s->waiting = false;
                     if (!ec) run(s);
                   });
}

int watched_socket::events() {
  return state_->open ? state_->socket.get(::zmq::sockopt::events) : 0;
}

bool watched_socket::writable() {
  return (events() & ZMQ_POLLOUT) != 0;
}

bool watched_socket::receive(received& out) {
  while (state_->open) {
    out.parts_.clear();
    out.views_.clear();
    std::size_t count = 0;
    for (bool more = true; more;) {
      ::zmq::message_t part;
      if (!state_->socket.recv(part, ::zmq::recv_flags::dontwait)) return false;
      more = part.more();
      if (++count <= most_frames) out.parts_.push_back(std::move(part));
    }
    if (count > most_frames) {
      state_->context->log(log_level::warning, "A message of ZeroMQ with " + std::to_string(count) +
                                                   " frames was dropped: no peer sends so many.");
      continue;
    }
    for (const auto& p : out.parts_)
      out.views_.emplace_back(static_cast<const char*>(p.data()), p.size());
    return true;
  }
  return false;
}

sent watched_socket::send(const frames& message, std::string_view to) {
  if (!state_->open) return sent::nobody;
  look_soon(state_);
  try {
    if (!to.empty() && !state_->socket.send(::zmq::buffer(to), ::zmq::send_flags::sndmore |
                                                                   ::zmq::send_flags::dontwait))
      return sent::full;
    for (std::size_t i = 0; i < message.size(); ++i) {
      auto flags = ::zmq::send_flags::dontwait;
      if (i + 1 < message.size()) flags = flags | ::zmq::send_flags::sndmore;
      if (!state_->socket.send(::zmq::buffer(message[i]), flags)) return sent::full;
    }
    return sent::yes;
  } catch (const ::zmq::error_t& e) {
    return e.num() == EHOSTUNREACH ? sent::nobody : sent::full;
  }
}

void watched_socket::close() noexcept {
  if (!std::exchange(state_->open, false)) return;
  try {
    if (state_->fd.is_open()) state_->fd.release();  // the descriptor belongs to libzmq
  } catch (...) {
  }
  state_->socket.close();
}

}  // namespace oslo::messaging::zmq
