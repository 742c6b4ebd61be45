// What the policy of a link wants, and how it is done.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <iterator>
#include <utility>

#include "core/tasks/raised_flag.hpp"
#include "net/amqp_link_impl.hpp"
#include "protocol/amqp091/spec.hpp"

namespace oslo::messaging::net {

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
    auto made = make_stream(executor_, settings_.tls.enabled ? &tls_ : nullptr);
    const auto& wire =
        dials_.insert_or_assign(a.id, dialled{a.address, std::move(made)}).first->second.wire;
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
    auto& dial = dials_.at(a.id);
    s->peer = dial.address.text();
    s->wire = std::move(dial.wire);
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
  session_->machine->close(amqp091::reply_code::success, "goodbye", now());
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

}  // namespace oslo::messaging::net
