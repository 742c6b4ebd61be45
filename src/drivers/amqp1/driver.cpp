#include "drivers/amqp1/driver.hpp"

#include <algorithm>
#include <utility>

#include "core/crossing.hpp"
#include "core/shown_name.hpp"
#include "drivers/amqp1/bodies.hpp"
#include "drivers/amqp1/engine.hpp"
#include "drivers/amqp1/examiner.hpp"
#include "drivers/amqp1/listener.hpp"
#include "net/asio_loop.hpp"
#include "wire/relayed.hpp"

namespace oslo::messaging::amqp1 {
namespace {

using kind = destination::kind;
using service = destination::service;

constexpr std::size_t most_credit = 1'000'000;

std::uint32_t choose_credit(std::uint32_t configured, const listen_options& l) {
  if (l.prefetch == 0) return configured;
  return static_cast<std::uint32_t>(std::min(l.prefetch, most_credit));
}

destination destination_for(kind what, service of, const target& t) {
  destination d;
  d.what = what;
  d.of = of;
  d.exchange = t.exchange;
  d.topic = *t.topic;
  if (what == kind::unicast) d.server = *t.server;
  return d;
}

destination destination_of(const target& to) {
  const auto what = to.fanout ? kind::multicast : to.server ? kind::unicast : kind::anycast;
  return destination_for(what, service::rpc, to);
}

/// The engine keeps addresses as C strings.
std::optional<failure> misfit(const destination& d) {
  for (const auto& name : {d.exchange.value_or(""), d.topic, d.server})
    if (!is_utf8(name) || name.find('\0') != name.npos)
      return failure(errc::invalid_argument,
                     "The name " + shown_name(name) + " cannot be part of an address of AMQP.");
  return std::nullopt;
}

/// Hands everything to the engine on its loop.
class amqp1_driver final : public driver {
 public:
  amqp1_driver(options o, driver_environment env, std::shared_ptr<net::asio_loop> loop)
      : link_(std::make_shared<socket_link>(loop->executor(), o.link, env.log)),
        engine_(std::make_shared<engine>(std::move(o), std::move(env))) {
    engine_->start(*link_,
                   [link = link_](std::chrono::milliseconds limit, unique_function<void()> done) {
                     link->shut(limit, std::move(done));
                   });
    link_->serve(*engine_);
    link_->watch([link = std::weak_ptr(link_), e = std::weak_ptr(engine_)] {
      const auto l = link.lock();
      const auto owner = e.lock();
      if (l && owner) owner->update_health(health_of(*l));
    });
  }
  ~amqp1_driver() override {
    close(std::chrono::milliseconds(0), [] {});
  }

  capabilities caps() const noexcept override {
    capabilities c;
    c.pools = false;
    return c;
  }
  std::string_view system() const noexcept override { return "amqp"; }

  void send(target to, outgoing_message m, send_options o, send_completion done) override {
    auto d = destination_of(to);
    if (auto why = misfit(d)) return fail(std::move(done), *std::move(why));
    try {
      if (!m.plain_keys) {
        wire::remove_own_keys(m.body);
        take_context(m.body, m.ctxt);
      }
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    if (o.wait_for_reply) {
      const auto bytes = m.body.size();
      return on_loop(bytes, std::move(done),
                     [d = std::move(d), m = std::move(m), o = std::move(o)](
                         engine& e, send_completion completion) mutable {
                       e.call(std::move(d), std::move(m), std::move(o), std::move(completion));
                     });
    }
    std::string body;
    try {
      write_request(body, m.body, m.ctxt);
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    const auto bytes = body.size();
    on_loop(bytes, std::move(done),
            [d = std::move(d), body = std::move(body), o = std::move(o)](
                engine& e, send_completion completion) mutable {
              e.cast(std::move(d), std::move(body), std::move(o), std::move(completion));
            });
  }

  void send_notification(target to, outgoing_message m, notification_format f, send_options o,
                         send_completion done) override {
    auto d = destination_for(kind::anycast, service::notifications, to);
    if (auto why = misfit(d)) return fail(std::move(done), *std::move(why));
    std::string body;
    try {
      if (!m.plain_keys) {
        wire::remove_own_keys(m.body, f);
        take_context(m.body, m.ctxt);
      }
      write_notification(body, m.body, m.ctxt, f);
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    const auto bytes = body.size();
    on_loop(bytes, std::move(done),
            [d = std::move(d), body = std::move(body), headers = std::move(m.headers),
             o = std::move(o)](engine& e, send_completion completion) mutable {
              e.notify(std::move(d), std::move(body), std::move(headers), std::move(o),
                       std::move(completion));
            });
  }

  std::shared_ptr<listener> listen(target on, listen_options l) override {
    std::vector<destination> from;
    for (const auto what : {kind::unicast, kind::multicast, kind::anycast})
      from.push_back(destination_for(what, service::rpc, on));
    return start(std::move(from), choose_credit(engine_->opts().rpc_credit, l));
  }

  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic> topics,
                                                     std::optional<std::string> pool,
                                                     listen_options l) override {
    if (pool)
      throw_failure({errc::not_supported, "\"pool\" not implemented by this transport driver"});
    std::vector<destination> from;
    for (const auto& t : topics) {
      auto d = destination_for(kind::anycast, service::notifications, t.where);
      d.topic += "." + t.priority;
      if (std::ranges::find(from, d) == from.end()) from.push_back(std::move(d));
    }
    return start(std::move(from), choose_credit(engine_->opts().notify_credit, l));
  }

  transport_health health() const override { return engine_->health(); }
  void watch_health(unique_function<void(const transport_health&)> changed) override {
    engine_->loop().dispatch([e = engine_, changed = std::move(changed)]() mutable {
      e->watch_health(std::move(changed));
    });
  }
  void probe(std::chrono::milliseconds limit,
             unique_function<void(result<std::chrono::microseconds>)> done) override {
    engine_->loop().post([e = engine_, limit, done = std::move(done)]() mutable {
      e->probe(limit, std::move(done));
    });
  }
  void close(std::chrono::milliseconds limit, unique_function<void()> done) override {
    engine_->loop().dispatch([e = engine_, limit, done = std::move(done)]() mutable {
      e->close(limit, std::move(done));
    });
  }

 private:
  static transport_health health_of(const socket_link& l) {
    const auto state = l.is_shut()              ? link_state::closed
                       : l.is_open()            ? link_state::connected
                       : l.is_idle()            ? link_state::idle
                       : l.verdict() != nullptr ? link_state::refused
                                                : link_state::connecting;
    transport_health h{state, state, l.broker_name(), {}};
    h.publishing_peer = h.consuming_peer = l.peer();
    if (!l.is_open() && l.last_failure()) h.reason = l.last_failure()->message();
    return h;
  }

  template <class Work>
  void on_loop(std::size_t bytes, send_completion done, Work work) {
    if (engine_->loop().running_here())  // without a copy of it all
      return work(*engine_, std::move(done));
    crossing over(engine_->crossing_bytes, bytes);
    if (!over.fits()) return fail(std::move(done), crossing::fell_behind());
    engine_->loop().post([e = engine_, over = std::move(over), done = std::move(done),
                          work = std::move(work)]() mutable { work(*e, std::move(done)); });
  }
  void fail(send_completion done, failure why) {
    engine_->loop().post([done = std::move(done), why = std::move(why)]() mutable { done(why); });
  }

  std::shared_ptr<listener> start(std::vector<destination> from, std::uint32_t credit) {
    for (const auto& d : from)
      if (const auto why = misfit(d)) throw_failure(*why);
    return engine_->listen(std::move(from), credit);
  }

  std::shared_ptr<socket_link> link_;
  std::shared_ptr<engine> engine_;
};

}  // namespace

std::unique_ptr<driver> make_driver(const transport_url& url, driver_environment env) {
  auto loop = std::dynamic_pointer_cast<net::asio_loop>(env.loop);
  if (!loop)
    throw configuration_error({errc::invalid_argument,
                               "The amqp driver needs a loop that runs on Asio; leave "
                               "transport_options::loop empty or use asio_scheduler."});
  auto o = read_options(env.conf, url, env.client_name);
  o.addresses.default_exchange = env.default_exchange;
  for (const auto& warning : o.warnings) env.log(log_level::warning, warning);
  if (!o.without_effect.empty()) env.log(log_level::warning, o.without_effect);
  if (o.trace)
    o.link.connection.trace = [log = env.log](std::string_view line) {
      log(log_level::debug, "[amqp] " + std::string(line));
    };
  check(o.link);  // certificates and names that can never work: now, not at a reconnect
  return std::make_unique<amqp1_driver>(std::move(o), std::move(env), std::move(loop));
}

void add_to(driver_registry& r) {
  r.add("amqp", make_driver, {"oslo_messaging_amqp", option_table()}, examine,
        driver_trust::trusted);
}

}  // namespace oslo::messaging::amqp1
