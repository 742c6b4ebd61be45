#include "drivers/rabbit/driver.hpp"

#include <utility>

#include "core/crossing.hpp"
#include "core/unique_id.hpp"
#include "drivers/rabbit/engine.hpp"
#include "drivers/rabbit/examiner.hpp"
#include "drivers/rabbit/listener.hpp"
#include "net/link_settings.hpp"
#include "wire/relayed.hpp"
#include "wire/request.hpp"

namespace oslo::messaging::rabbit {
namespace {

/// Enough for the broker to keep a busy server fed between two acknowledgements.
constexpr std::uint16_t default_prefetch = 256;

std::uint16_t choose_prefetch(const options& o, const listen_options& l) {
  if (o.prefetch != 0) return o.prefetch;
  if (l.prefetch == 0) return default_prefetch;
  if (l.prefetch == listen_options::unlimited) return 0;
  return static_cast<std::uint16_t>(std::min<std::size_t>(l.prefetch, 65'535));
}

/// Hands everything to the engine on its loop.
class rabbit_driver final : public driver {
 public:
  rabbit_driver(options o, driver_environment env, std::shared_ptr<net::asio_loop> loop)
      : engine_(std::make_shared<engine>(std::move(o), std::move(env), std::move(loop))) {
    engine_->start();
  }
  ~rabbit_driver() override {
    close(std::chrono::milliseconds(0), [] {});
  }

  capabilities caps() const noexcept override { return {}; }
  std::string_view system() const noexcept override { return "rabbitmq"; }

  void send(target to, outgoing_message m, send_options o, send_completion done) override {
    try {
      if (!m.plain_keys) wire::remove_own_keys(m.body);
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    if (o.wait_for_reply) {
      if (engine_->loop().running_here())  // without a copy of it all
        return engine_->call(destination_of(to), std::move(m), std::move(o), std::move(done));
      crossing over(engine_->crossing_bytes, m.body.size());
      if (!over.fits()) return fail(std::move(done), crossing::fell_behind());
      engine_->loop().post([e = engine_, over = std::move(over), to = destination_of(to),
                            m = std::move(m), o = std::move(o), done = std::move(done)]() mutable {
        e->call(std::move(to), std::move(m), std::move(o), std::move(done));
      });
      return;
    }
    std::string body;
    try {
      wire::write_request(body, m.body, m.ctxt, {.unique_id = unique_digits()});
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    send_body(destination_of(to), std::move(body), {}, std::move(o), std::move(done));
  }

  void send_notification(target to, outgoing_message m, notification_format f, send_options o,
                         send_completion done) override {
    std::string body;
    try {
      if (!m.plain_keys) wire::remove_own_keys(m.body, f);
      wire::write_notification(body, m.body, m.ctxt, unique_digits(), f);
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    send_body(notification_destination(engine_->opts(), exchange_of(to), *to.topic, o.keep),
              std::move(body), std::move(m.headers), std::move(o), std::move(done));
  }

  std::shared_ptr<listener> listen(target on, listen_options l) override {
    const auto made = make(l);
    auto begin = [made, e = engine_, exchange = exchange_of(on),
                  on = std::move(on)](const std::string& unique) {
      made->begin(server_sources(e->opts(), exchange, *on.topic, *on.server, unique));
    };
    if (engine_->opts().stream_fanout)
      begin({});
    else
      engine_->name_queue(std::move(begin));
    return made->handle();
  }

  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic> topics,
                                                     std::optional<std::string> pool,
                                                     listen_options l) override {
    std::vector<source> sources;
    std::map<std::string, std::vector<std::string>> by_exchange;
    for (const auto& t : topics)
      by_exchange[exchange_of(t.where)].push_back(*t.where.topic + "." + t.priority);
    for (auto& [name, keys] : by_exchange) {
      if (pool)
        sources.push_back(pool_source(engine_->opts(), name, *pool, std::move(keys)));
      else
        for (const auto& key : keys)
          sources.push_back(notification_source(engine_->opts(), name, key));
    }
    const auto made = make(l);
    made->begin(std::move(sources));
    return made->handle();
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
  std::string exchange_of(const target& t) const {
    return t.exchange.value_or(engine_->env().default_exchange);
  }

  destination destination_of(const target& to) const {
    if (to.fanout) return fanout_destination(engine_->opts(), *to.topic);
    if (to.server)
      return server_destination(engine_->opts(), exchange_of(to), *to.topic, *to.server);
    return topic_destination(engine_->opts(), exchange_of(to), *to.topic);
  }

  void send_body(destination to, std::string body, std::vector<message_header> headers,
                 send_options o, send_completion done) {
    if (engine_->loop().running_here())  // without a copy of it all
      return engine_->send(std::move(to), std::move(body), std::move(headers), std::move(o),
                           std::move(done));
    crossing over(engine_->crossing_bytes, body.size());
    if (!over.fits()) return fail(std::move(done), crossing::fell_behind());
    engine_->loop().post([e = engine_, over = std::move(over), to = std::move(to),
                          body = std::move(body), headers = std::move(headers), o = std::move(o),
                          done = std::move(done)]() mutable {
      e->send(std::move(to), std::move(body), std::move(headers), std::move(o), std::move(done));
    });
  }

  void fail(send_completion done, failure why) {
    engine_->loop().post([done = std::move(done), why = std::move(why)]() mutable { done(why); });
  }

  std::shared_ptr<rabbit_listener> make(const listen_options& l) const {
    return std::make_shared<rabbit_listener>(engine_, choose_prefetch(engine_->opts(), l));
  }

  std::shared_ptr<engine> engine_;
};

}  // namespace

std::unique_ptr<driver> make_driver(const transport_url& url, driver_environment env) {
  auto loop = std::dynamic_pointer_cast<net::asio_loop>(env.loop);
  if (!loop)
    throw configuration_error({errc::invalid_argument,
                               "The rabbit driver needs a loop that runs on Asio; leave "
                               "transport_options::loop empty or use asio_scheduler."});
  auto o = read_options(env.conf, url, env.client_name);
  for (const auto& warning : o.warnings) env.log(log_level::warning, warning);
  if (!o.without_effect.empty()) env.log(log_level::warning, o.without_effect);
  net::check(o.link);  // certificates and names that can never work: now, not at a reconnect
  return std::make_unique<rabbit_driver>(std::move(o), std::move(env), std::move(loop));
}

/// Python's library knows RabbitMQ under the first two names. The third is TLS by name, as others
/// write it.
void add_to(driver_registry& r) {
  r.add("rabbit", make_driver, {"oslo_messaging_rabbit", option_table()}, examine,
        driver_trust::trusted);
  r.add("kombu", make_driver, {}, examine, driver_trust::trusted);
  r.add("rabbits", make_driver, {}, examine, driver_trust::trusted);
}

}  // namespace oslo::messaging::rabbit
