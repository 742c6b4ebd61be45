// What the policy of a link wants.
#include <algorithm>
#include <iterator>

#include "core/tasks/raised_flag.hpp"
#include "drivers/amqp1/socket_link_impl.hpp"

namespace oslo::messaging::amqp1 {
namespace {

namespace act_on = protocol::act;

connection_options options_for(const link_settings& s, const broker& to) {
  auto o = s.connection;
  o.username = to.username;
  o.password = to.password;
  if (!o.mechanisms.empty()) return o;
  const std::string by_certificate = s.tls.enabled && !s.tls.cert_file.empty() ? "EXTERNAL " : "";
  o.mechanisms = by_certificate + (to.username.empty() ? "ANONYMOUS" : "PLAIN");
  return o;
}

}  // namespace

/// In their order, also those that come while one is being obeyed.
void socket_link::obey(protocol::link_actions actions) {
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

void socket_link::act(const act_on::look_up& a) {
  try {
    look_ups_[a.id] = std::make_unique<net::look_up>(
        executor_, a.host,
        [weak = weak_from_this(), id = a.id](result<net::look_up::addresses> found) {
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

void socket_link::act(const act_on::dial& a) {
  try {
    auto made = net::make_stream(executor_, settings_.tls.enabled ? &tls_ : nullptr);
    auto& wire =
        dials_.insert_or_assign(a.id, dialled{a.address, std::move(made)}).first->second.wire;
    if (const auto why = tls_.take_complaint())
      log_(log_level::warning,
           "[amqp] " + why->message() + " The certificates that were read before stay in use.");
    wire->connect(a.address, a.host,
                  [weak = weak_from_this(), id = a.id](std::optional<net::dial_failure> f) {
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

void socket_link::act(const act_on::give_up& a) {
  look_ups_.erase(a.id);
  dials_.erase(a.id);
}

void socket_link::act(const act_on::converse& a) {
  try {
    auto s = std::make_shared<session>();
    auto& dial = dials_.at(a.id);
    s->peer = dial.address.text();
    s->wire = std::move(dial.wire);
    dials_.erase(a.id);
    s->machine = std::make_unique<connection>(options_for(settings_, settings_.brokers[a.broker]),
                                              static_cast<connection_events&>(*this), now());
    session_ = s;
    write_pending();
    read(s);
  } catch (...) {
    dials_.erase(a.id);
    obey(policy_.ended(failure_now(), now()));
  }
}

void socket_link::act(const act_on::limit_silence& a) {
  if (session_) session_->wire->limit_silence(a.on);
}

void socket_link::act(const act_on::say_goodbye&) {
  if (!session_) return;
  session_->machine->close();
  write_pending();
}

/// Whatever of the connection is on the call stack now holds the session as well.
void socket_link::act(const act_on::hang_up&) {
  if (const auto s = std::exchange(session_, nullptr)) s->wire->close();
}

void socket_link::act(const act_on::report_up&) {
  changed();
  log_(log_level::debug,
       "[amqp] Connected to " + broker_name() +
           (peer_.product.empty() ? "" : ", " + peer_.product + " " + peer_.version));
  tell_user([&] { user_->link_up(peer_); });
}

void socket_link::act(const act_on::report_down& a) {
  changed();
  tell_user([&] { user_->link_down(a.loss); });
}

void socket_link::act(const act_on::report_shut&) {
  changed();
  for (auto& done : std::exchange(shut_done_, {}))
    if (done) boost::asio::post(executor_, std::move(done));
}

void socket_link::act(const act_on::say& a) {
  log_(a.level, a.text);
}

}  // namespace oslo::messaging::amqp1
