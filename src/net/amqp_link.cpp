#include "net/amqp_link.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "core/tasks/raised_flag.hpp"
#include "core/unique_id.hpp"

namespace oslo::messaging::net {
namespace {

constexpr std::size_t read_chunk = 128 * 1024;
constexpr std::uint16_t internal_error = 541;

protocol::link_policy_options policy_options(const link_settings& s) {
  protocol::link_policy_options o{
      {}, s.backoff, s.connect_timeout, s.verdict_pause, s.purpose, s.shuffle, s.splay};
  for (const auto& b : s.brokers) o.hosts.push_back(b.where);
  return o;
}

/// Of the exception that is being handled.
failure failure_now() {
  try {
    throw;
  } catch (const messaging_error& e) {
    return e.failure();
  } catch (const std::exception& e) {
    return {errc::unreachable, std::string("Connecting failed: ") + e.what()};
  } catch (...) {
    return {errc::unreachable, "Connecting failed for an unknown reason."};
  }
}

}  // namespace

struct amqp_link::session {
  std::unique_ptr<stream> wire;
  std::unique_ptr<amqp091::connection> machine;
  /// The end of the connection, until it is acted on. Nothing more is told to the user.
  std::optional<amqp091::close_reason> closed;
  std::optional<failure> broken;  ///< an end that the protocol has no words for
  protocol::read_patience patience;
  std::vector<char> input = std::vector<char>(read_chunk);
  std::string output;
  bool writing = false;
  bool in_machine = false;  ///< events are being delivered; a flush follows them

  bool has_ended() const noexcept { return closed || broken; }
};

amqp_link::amqp_link(boost::asio::any_io_executor ex, link_settings settings, logger log)
    : executor_(std::move(ex)),
      settings_(std::move(settings)),
      log_(std::move(log)),
      policy_(policy_options(settings_), random_bits()),
      tls_(settings_.tls),
      timer_(executor_) {}

amqp_link::~amqp_link() = default;

/// Every way in from the loop and from the owner: nothing may leave the link without a next step.
template <class Work>
void amqp_link::enter(Work work) noexcept {
  try {
    work();
  } catch (...) {
    try {
      fault(failure_now());
    } catch (...) {
      log_(log_level::error, "A link to a broker could not handle a failure; it tries again.");
    }
  }
  try {
    arm();
  } catch (...) {
    log_(log_level::error, "A link to a broker has no timer.");
  }
}

void amqp_link::fault(failure why) {
  to_obey_.clear();
  look_ups_.clear();
  dials_.clear();
  act(protocol::act::hang_up{});
  obey(policy_.fault(std::move(why), now()));
}

void amqp_link::open() {
  enter([this] {
    if (!policy_.is_idle()) return;
    std::string hosts;
    for (const auto& b : settings_.brokers) hosts += (hosts.empty() ? "" : ", ") + b.where.text();
    log_(log_level::debug, "[" + settings_.purpose + "] Connecting to " + hosts);
    obey(policy_.open(now()));
    changed();
  });
}

void amqp_link::shut(std::chrono::milliseconds limit, unique_function<void()> done) {
  shut_done_.push_back(std::move(done));
  enter([&] {
    if (policy_.is_shut() && !session_) return act(protocol::act::report_shut{});
    obey(policy_.shut(limit, now()));
    changed();
  });
}

bool amqp_link::is_open() const noexcept {
  return policy_.is_open() && session_ && !session_->has_ended();
}

std::optional<std::chrono::sys_seconds> amqp_link::peer_valid_until() const {
  return session_ ? session_->wire->peer_valid_until() : std::nullopt;
}

amqp091::connection& amqp_link::machine() noexcept {
  return *session_->machine;
}

// ---- What the policy wants -----------------------------------------------------------------

/// In their order, also those that come while one is being obeyed.
void amqp_link::obey(protocol::link_actions actions) {
  std::ranges::move(actions, std::back_inserter(to_obey_));
  if (obeying_ || to_obey_.empty()) return;
  const raised_flag obeying(obeying_);
  while (!to_obey_.empty()) {
    const auto action = std::move(to_obey_.front());
    to_obey_.pop_front();
    std::visit([this](const auto& a) { act(a); }, action);
  }
  changed();
}

void amqp_link::act(const protocol::act::look_up& a) {
  try {
    look_ups_[a.id] = std::make_unique<look_up>(
        executor_, a.host, [weak = weak_from_this(), id = a.id](result<look_up::addresses> found) {
          const auto self = weak.lock();
          if (!self) return;
          self->enter([&] {
            self->look_ups_.erase(id);
            self->obey(found.has_value()
                           ? self->policy_.resolved(id, *found, self->now())
                           : self->policy_.failed(id, found.error(), false, self->now()));
          });
        });
  } catch (...) {
    look_ups_.erase(a.id);
    obey(policy_.failed(a.id, failure_now(), false, now()));
  }
}

void amqp_link::act(const protocol::act::dial& a) {
  try {
    auto& wire = dials_[a.id] = make_stream(executor_, settings_.tls.enabled ? &tls_ : nullptr);
    if (const auto why = tls_.take_complaint())
      log_(log_level::warning, "[" + settings_.purpose + "] " + why->message() +
                                   " The certificates that were read before stay in use.");
    wire->connect(a.address, a.host,
                  [weak = weak_from_this(), id = a.id](std::optional<dial_failure> f) {
                    const auto self = weak.lock();
                    if (!self) return;
                    self->enter([&] {
                      if (!f) return self->obey(self->policy_.connected(id, self->now()));
                      self->dials_.erase(id);
                      self->obey(self->policy_.failed(id, f->why, f->answered, self->now()));
                    });
                  });
  } catch (...) {
    dials_.erase(a.id);
    obey(policy_.failed(a.id, failure_now(), false, now()));
  }
}

void amqp_link::act(const protocol::act::give_up& a) {
  look_ups_.erase(a.id);
  dials_.erase(a.id);
}

void amqp_link::act(const protocol::act::converse& a) {
  try {
    auto s = std::make_shared<session>();
    s->wire = std::move(dials_.at(a.id));
    dials_.erase(a.id);
    s->machine =
        std::make_unique<amqp091::connection>(options_for(settings_, settings_.brokers[a.broker]),
                                              static_cast<amqp091::event_handler&>(*this), now());
    session_ = s;
    write_pending();
    read(s);
  } catch (...) {
    dials_.erase(a.id);
    obey(policy_.ended(failure_now(), now()));
  }
}

void amqp_link::act(const protocol::act::limit_silence& a) {
  if (session_) session_->wire->limit_silence(a.on);
}

void amqp_link::act(const protocol::act::say_goodbye&) {
  if (!session_) return;
  session_->machine->close(200, "goodbye", now());
  write_pending();
}

/// Whatever of the connection is on the call stack now holds the session as well.
void amqp_link::act(const protocol::act::hang_up&) {
  if (const auto s = std::exchange(session_, nullptr)) s->wire->close();
}

void amqp_link::act(const protocol::act::report_up&) {
  changed();
  tell_user([&] { user_->link_up(); });
}

void amqp_link::act(const protocol::act::report_down& a) {
  changed();
  tell_user([&] { user_->link_down(a.loss); });
}

void amqp_link::act(const protocol::act::report_shut&) {
  changed();
  for (auto& done : std::exchange(shut_done_, {}))
    if (done) boost::asio::post(executor_, std::move(done));
}

void amqp_link::act(const protocol::act::say& a) {
  log_(a.level, a.text);
}

// ---- The connection ------------------------------------------------------------------------

void amqp_link::read(const session_ptr& s) {
  s->wire->read_some(s->input,
                     [self = shared_from_this(), s](boost::system::error_code ec, std::size_t n) {
                       self->enter([&] { self->took_input(s, ec, n); });
                     });
}

void amqp_link::took_input(const session_ptr& s, const boost::system::error_code& ec,
                           std::size_t n) {
  if (s != session_) return;
  s->patience.on_input();
  {
    const raised_flag in_machine(s->in_machine);
    tell_user([&] { user_->input_begins(); });
    struct at_end {
      amqp_link& link;
      ~at_end() {
        link.tell_user([&] { link.user_->input_done(); });
      }
    } const input_done{*this};
    if (!ec)
      s->machine->on_bytes(std::as_bytes(std::span(s->input.data(), n)), now());
    else
      stream_ended(*s, ec);
  }
  after_machine();
  if (s == session_) read(s);
}

/// Sends what events produced, then acts on the end of the connection if that was among them.
void amqp_link::after_machine() {
  write_pending();
  const auto s = session_;
  if (!s || !s->has_ended()) return;
  if (s->broken)
    obey(policy_.ended(*s->broken, now()));
  else
    obey(policy_.ended(*s->closed, now()));
  if (s == session_) act(protocol::act::hang_up{});
}

void amqp_link::flush() {
  enter([this] { write_pending(); });
}

void amqp_link::write_pending() {
  const auto s = session_;
  if (!s || s->writing || s->in_machine) return;
  while (s->machine->has_output()) {
    s->machine->take_output(s->output, now());
    if (s->output.empty()) break;
    boost::system::error_code ec;
    const auto written = s->wire->try_write(s->output, ec);
    if (!ec && written == s->output.size()) continue;
    if (ec) {
      stream_ended(*s, ec);
      // The caller may be in the middle of its own work: take the link down from the loop.
      boost::asio::post(executor_, [self = shared_from_this(), s] {
        self->enter([&] {
          if (s == self->session_) self->after_machine();
        });
      });
      return;
    }
    s->writing = true;
    s->wire->write(std::string_view(s->output).substr(written),
                   [self = shared_from_this(), s](boost::system::error_code ec2) {
                     self->enter([&] {
                       if (s != self->session_) return;
                       // A refusal of our TLS may lie before the end: the read will tell.
                       if (ec2 && self->settings_.tls.enabled && !self->policy_.is_open()) return;
                       s->writing = false;
                       if (ec2)
                         self->stream_ended(*s, ec2);
                       else
                         self->tell_user([&] { self->user_->output_drained(); });
                       self->after_machine();
                     });
                   });
    break;
  }
}

void amqp_link::stream_ended(session& s, const boost::system::error_code& ec) {
  const raised_flag in_machine(s.in_machine);
  if (!policy_.is_open()) s.broken = s.wire->refusal(ec);
  s.machine->on_stream_end(ec.message(), now());
}

void amqp_link::flush_later() {
  if (flush_posted_ || held_ || (session_ && session_->in_machine)) return;
  boost::asio::post(executor_, [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
  flush_posted_ = true;
}

void amqp_link::release() {
  held_ = false;
  flush();
}

void amqp_link::read_with(patience p) {
  if (!session_) return;
  const auto bytes = session_->patience.want(p, now());
  if (bytes && !session_->wire->wake_after(*bytes)) session_->patience.disable();
  if (bytes && p != patience::none) enter([] {});  // for the timer
}

/// Deadlines mostly move into the future; then the timer that is already armed asks again.
void amqp_link::arm() {
  auto next = policy_.next_wake();
  if (session_)
    next = std::min({next, session_->machine->next_deadline(), session_->patience.next_wake()});
  if (next >= armed_until_) return;
  timer_.expires_at(next);
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const auto self = weak.lock();
    if (self && !ec) self->enter([&] { self->on_timer(); });
  });
  armed_until_ = next;
}

void amqp_link::on_timer() {
  armed_until_ = instant::max();
  const auto s = session_;
  obey(policy_.tick(now()));
  if (!s || s != session_) return;
  if (const auto bytes = s->patience.on_tick(now())) s->wire->wake_after(*bytes);
  if (s->machine->next_deadline() > now()) return;
  {
    const raised_flag in_machine(s->in_machine);
    s->machine->on_tick(now());
  }
  after_machine();
}

// ---- Events of the machine -------------------------------------------------------------------

/// The user should not throw. When it does, nobody knows what it has missed: it is set up anew on a
/// new connection.
template <class Call>
void amqp_link::tell_user(Call call) noexcept {
  try {
    call();
    return;
  } catch (const std::exception& e) {
    log_(log_level::error, std::string("The user of a link threw: ") + e.what());
  } catch (...) {
    log_(log_level::error, "The user of a link threw an unknown exception.");
  }
  try {
    renew(failure(errc::unreachable, broker_name() + " was left after an exception"));
  } catch (...) {
    log_(log_level::error, "A link could not be closed.");
  }
}

void amqp_link::renew(failure why) {
  if (!is_open()) return;
  session_->broken = std::move(why);
  session_->machine->close(internal_error, "left for a new connection", now());
  boost::asio::post(executor_, [self = shared_from_this(), s = session_] {
    self->enter([&] {
      if (s == self->session_) self->after_machine();
    });
  });
}

void amqp_link::on_open(const amqp091::field_table&) {
  obey(policy_.opened(now()));
}
void amqp_link::on_closed(const amqp091::close_reason& why) {
  if (session_) session_->closed = why;  // else the user has shut the link in an earlier event
}

void amqp_link::on_channel_open(amqp091::channel_id ch) {
  if (is_open()) tell_user([&] { user_->on_channel_open(ch); });
}
void amqp_link::on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) {
  if (is_open()) tell_user([&] { user_->on_channel_closed(ch, why); });
}
void amqp_link::on_request_ok(amqp091::channel_id ch, amqp091::request_id request,
                              std::string_view name, std::uint32_t messages,
                              std::uint32_t consumers) {
  if (is_open()) tell_user([&] { user_->on_request_ok(ch, request, name, messages, consumers); });
}
void amqp_link::on_delivery(const amqp091::delivery& d) {
  if (is_open()) tell_user([&] { user_->on_delivery(d); });
}
void amqp_link::on_delivery_refused(const amqp091::delivery& d, std::string_view why) {
  if (is_open()) tell_user([&] { user_->on_delivery_refused(d, why); });
}
void amqp_link::on_consumer_cancelled(amqp091::channel_id ch, std::string_view tag) {
  if (is_open()) tell_user([&] { user_->on_consumer_cancelled(ch, tag); });
}
void amqp_link::on_return(const amqp091::returned_message& m) {
  if (is_open()) tell_user([&] { user_->on_return(m); });
}
void amqp_link::on_confirm(amqp091::channel_id ch, std::uint64_t sequence, bool multiple,
                           bool ack) {
  if (is_open()) tell_user([&] { user_->on_confirm(ch, sequence, multiple, ack); });
}
/// The user knows the reason before anybody hears that something has changed.
void amqp_link::on_blocked(std::string_view reason) {
  if (!is_open()) return;
  auto actions = policy_.blocked(true);
  tell_user([&] { user_->on_blocked(reason); });
  obey(std::move(actions));
}
void amqp_link::on_unblocked() {
  if (!is_open()) return;
  auto actions = policy_.blocked(false);
  tell_user([&] { user_->on_unblocked(); });
  obey(std::move(actions));
}

}  // namespace oslo::messaging::net
