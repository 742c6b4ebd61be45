#include "drivers/amqp1/socket_link.hpp"

#include <algorithm>
#include <utility>

#include "core/tasks/raised_flag.hpp"
#include "core/unique_id.hpp"
#include "drivers/amqp1/socket_link_impl.hpp"

namespace oslo::messaging::amqp1 {
namespace {

protocol::link_policy_options policy_options(const link_settings& s) {
  protocol::link_policy_options o;
  o.backoff = s.backoff;
  o.purpose = "amqp";
  for (const auto& b : s.brokers) o.hosts.push_back(b.where);
  return o;
}

[[noreturn]] void refuse(std::string why) {
  throw_failure({errc::invalid_config, std::move(why)});
}

}  // namespace

void check(const link_settings& settings) {
  for (const auto& b : settings.brokers) {
    if (b.where.host.empty()) refuse("A broker has no host name.");
    if (b.where.port == 0) refuse("The broker " + b.where.host + " has port 0.");
    if ((b.username + b.password).find('\0') != std::string::npos)
      refuse("Cannot log in to " + b.where.text() +
             " like this: a null byte cannot be sent with PLAIN.");
  }
  if (settings.tls.enabled) net::tls_client(settings.tls).context();
}

socket_link::socket_link(boost::asio::any_io_executor ex, link_settings settings, logger log)
    : executor_(std::move(ex)),
      settings_(std::move(settings)),
      log_(std::move(log)),
      policy_(policy_options(settings_), random_bits()),
      tls_(settings_.tls),
      timer_(executor_) {}

socket_link::~socket_link() = default;

void socket_link::fault(failure why) {
  to_obey_.clear();
  look_ups_.clear();
  dials_.clear();
  act(protocol::act::hang_up{});
  obey(policy_.fault(std::move(why), now()));
}

void socket_link::open() {
  enter([this] {
    if (!policy_.is_idle()) return;
    obey(policy_.open(now()));
    changed();
  });
}

void socket_link::shut(std::chrono::milliseconds limit, unique_function<void()> done) {
  shut_done_.push_back(std::move(done));
  enter([&] {
    if (policy_.is_shut() && !session_) return act(protocol::act::report_shut{});
    obey(policy_.shut(limit, now()));
    changed();
  });
}

bool socket_link::is_open() const noexcept {
  return policy_.is_open() && session_ && !session_->ended;
}

std::string_view socket_link::peer() const noexcept {
  return is_open() ? std::string_view(session_->peer) : std::string_view();
}

std::optional<std::chrono::sys_seconds> socket_link::peer_valid_until() const {
  return session_ ? session_->wire->peer_valid_until() : std::nullopt;
}

connection& socket_link::machine() noexcept {
  return *session_->machine;
}

// ---- the connection -----------------------------------------------------------------------------

void socket_link::read(const session_ptr& s) {
  s->wire->read_some(s->input,
                     [self = shared_from_this(), s](boost::system::error_code ec, std::size_t n) {
                       self->enter([&] { self->took_input(s, ec, n); });
                     });
}

void socket_link::took_input(const session_ptr& s, const boost::system::error_code& ec,
                             std::size_t n) {
  if (s != session_) return;
  if (ec) {
    stream_ended(*s, ec);
  } else {
    const raised_flag in_machine(s->in_machine);
    s->machine->on_bytes({s->input.data(), n}, now());
    if (is_open()) tell_user([&] { user_->input_done(); });
  }
  after_machine();
  if (s == session_) read(s);
}

/// Sends what events produced, then acts on the end of the connection if that was among them.
void socket_link::after_machine() {
  write_pending();
  const auto s = session_;
  if (!s || !s->ended) return;
  obey(policy_.ended(*s->ended, now()));
  if (s == session_) act(protocol::act::hang_up{});
}

void socket_link::write_pending() {
  const auto s = session_;
  if (!s || s->writing || s->in_machine) return;
  for (bool some = false;; some = true) {
    {
      const raised_flag in_machine(s->in_machine);
      s->output.clear();
      if (s->machine->has_output()) s->machine->take_output(s->output);
    }
    if (s->output.empty()) {
      if (some && is_open()) tell_user([&] { user_->output_drained(); });
      return;
    }
    boost::system::error_code ec;
    const auto written = s->wire->try_write(s->output, ec);
    if (!ec && written == s->output.size()) continue;
    if (!ec) {
      s->writing = true;
      s->wire->write(std::string_view(s->output).substr(written),
                     [self = shared_from_this(), s](boost::system::error_code ec2) {
                       self->enter([&] { self->wrote(s, ec2); });
                     });
      return;
    }
    stream_ended(*s, ec);
    // The caller may be in the middle of its own work: take the link down from the loop.
    boost::asio::post(executor_, [self = shared_from_this(), s] {
      self->enter([&] {
        if (s == self->session_) self->after_machine();
      });
    });
    return;
  }
}

void socket_link::wrote(const session_ptr& s, const boost::system::error_code& ec) {
  if (s != session_) return;
  // A refusal of our TLS may lie before the end: the read will tell.
  if (ec && settings_.tls.enabled && !policy_.is_open()) return;
  s->writing = false;
  if (ec)
    stream_ended(*s, ec);
  else if (is_open() && !s->machine->has_output())
    tell_user([&] { user_->output_drained(); });
  after_machine();
}

void socket_link::stream_ended(session& s, const boost::system::error_code& ec) {
  const raised_flag in_machine(s.in_machine);
  if (!policy_.is_open() && !s.ended) s.ended = s.wire->refusal(ec);
  s.machine->on_stream_end(ec.message(), now());
}

void socket_link::flush_later() {
  if (flush_posted_ || (session_ && session_->in_machine)) return;
  boost::asio::post(executor_, [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->enter([&] { self->after_machine(); });
  });
  flush_posted_ = true;
}

/// Deadlines mostly move into the future; then the timer that is already armed asks again.
void socket_link::arm() {
  auto next = policy_.next_wake();
  if (session_) next = std::min(next, session_->machine->next_deadline());
  if (next >= armed_until_) return;
  timer_.expires_at(next);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const auto self = weak.lock();
    if (self && !ec) self->enter([&] { self->on_timer(); });
  });
  armed_until_ = next;
}

void socket_link::on_timer() {
  armed_until_ = instant::max();
  const auto s = session_;
  obey(policy_.tick(now()));
  if (!s || s != session_ || s->machine->next_deadline() > now()) return;
  {
    const raised_flag in_machine(s->in_machine);
    s->machine->on_tick(now());
  }
  after_machine();
}

// ---- events of the machine ----------------------------------------------------------------------

void socket_link::on_open(const peer_description& peer) {
  peer_ = peer;
  obey(policy_.opened(now()));
}
void socket_link::on_closed(const ending& why) {
  if (session_ && !session_->ended) session_->ended = to_failure(why, broker_name());
}
void socket_link::on_link_open(link_id link, std::string_view address) {
  if (is_open()) tell_user([&] { user_->on_link_open(link, address); });
}
void socket_link::on_link_closed(link_id link, const condition& why) {
  if (is_open()) tell_user([&] { user_->on_link_closed(link, why); });
}
void socket_link::on_link_gone(link_id link) {
  if (is_open()) tell_user([&] { user_->on_link_gone(link); });
}
void socket_link::on_credit(link_id link) {
  if (is_open()) tell_user([&] { user_->on_credit(link); });
}
void socket_link::on_outcome(link_id link, delivery_id message, const disposition& v) {
  if (!is_open()) return;
  tell_user([&] {
    user_->on_outcome(link, message, v);
    if (v.what == disposition::outcome::accepted) policy_.worked();
  });
}
void socket_link::on_delivery(link_id link, delivery_id message, std::string_view bytes,
                              bool settled) {
  if (!is_open()) return;
  tell_user([&] {
    user_->on_delivery(link, message, bytes, settled);
    policy_.worked();
  });
}

}  // namespace oslo::messaging::amqp1
