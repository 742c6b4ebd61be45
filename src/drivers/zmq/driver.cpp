#include "drivers/zmq/driver.hpp"

#include <utility>

#include "core/crossing.hpp"
#include "core/shown_name.hpp"
#include "core/utf8.hpp"
#include "drivers/zmq/engine.hpp"
#include "drivers/zmq/examiner.hpp"
#include "drivers/zmq/options.hpp"
#include "net/asio_loop.hpp"
#include "wire/relayed.hpp"

namespace oslo::messaging::zmq {
namespace {

using service = subscription::service;

/// They become parts of keys in Redis, and of routes.
std::optional<failure> misfit(const std::string& name) {
  if (is_utf8(name) && name.size() <= 255 && name.find('\0') == name.npos) return std::nullopt;
  return failure(errc::invalid_argument, "The name " + shown_name(name) +
                                             " cannot be used over zmq://: it has to be UTF-8 "
                                             "of at most 255 bytes.");
}

/// Hands everything to the engine on its loop.
class zmq_driver final : public driver {
 public:
  explicit zmq_driver(context_ptr c)
      : context_(std::move(c)), engine_(std::make_shared<engine>(context_)) {
    engine_->start();
  }
  ~zmq_driver() override {
    close(std::chrono::milliseconds(0), [] {});
  }

  capabilities caps() const noexcept override { return {}; }
  std::string_view system() const noexcept override { return "zmq"; }

  void send(target to, outgoing_message m, send_options o, send_completion done) override {
    try {
      if (!m.plain_keys) wire::remove_own_keys(m.body);
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    hand_over(service::rpc, std::move(to), std::move(m), notification_format::bare, std::move(o),
              std::move(done));
  }

  void send_notification(target to, outgoing_message m, notification_format f, send_options o,
                         send_completion done) override {
    try {
      if (!m.plain_keys) wire::remove_own_keys(m.body, f);
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    o.wait_for_reply = false;
    to.server.reset();
    to.fanout = false;
    hand_over(service::notification, std::move(to), std::move(m), f, std::move(o), std::move(done));
  }

  std::shared_ptr<listener> listen(target on, listen_options l) override {
    return subscribe({{.of = service::rpc,
                       .exchange = context_->exchange_of(on),
                       .topic = *on.topic,
                       .server = *on.server}},
                     l.prefetch);
  }

  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic> topics,
                                                     std::optional<std::string> pool,
                                                     listen_options l) override {
    std::vector<subscription> all;
    for (const auto& t : topics)
      all.push_back({.of = service::notification,
                     .exchange = context_->exchange_of(t.where),
                     .topic = *t.where.topic + "." + t.priority,
                     .pool = pool.value_or("")});
    return subscribe(std::move(all), l.prefetch);
  }

  transport_health health() const override { return engine_->health(); }
  void watch_health(unique_function<void(const transport_health&)> changed) override {
    context_->loop->dispatch([e = engine_, changed = std::move(changed)]() mutable {
      e->watch_health(std::move(changed));
    });
  }

  void close(std::chrono::milliseconds limit, unique_function<void()> done) override {
    context_->loop->dispatch([e = engine_, limit, done = std::move(done)]() mutable {
      e->close(limit, std::move(done));
    });
  }

 private:
  void fail(send_completion done, failure why) {
    context_->loop->post([done = std::move(done), why = std::move(why)]() mutable { done(why); });
  }

  std::shared_ptr<listener> subscribe(std::vector<subscription> all, std::size_t prefetch) {
    for (const auto& s : all)
      for (const auto* name : {&s.exchange, &s.topic, &s.server, &s.pool})
        if (auto why = misfit(*name)) throw messaging_error(*std::move(why));
    return make_handle(engine_->listen(std::move(all), prefetch));
  }

  void hand_over(service of, target to, outgoing_message m, notification_format f, send_options o,
                 send_completion done) {
    for (const auto& name : {context_->exchange_of(to), *to.topic, to.server.value_or("")})
      if (auto why = misfit(name)) return fail(std::move(done), *std::move(why));
    if (context_->loop->running_here())
      return engine_->send(of, std::move(to), std::move(m), f, std::move(o), std::move(done));
    crossing over(context_->crossing_bytes, m.body.size());
    if (!over.fits()) return fail(std::move(done), crossing::fell_behind());
    context_->loop->post([e = engine_, over = std::move(over), of, to = std::move(to),
                          m = std::move(m), f, o = std::move(o), done = std::move(done)]() mutable {
      e->send(of, std::move(to), std::move(m), f, std::move(o), std::move(done));
    });
  }

  const context_ptr context_;
  const std::shared_ptr<engine> engine_;
};

}  // namespace

std::unique_ptr<driver> make_driver(const transport_url& url, driver_environment env) {
  auto loop = std::dynamic_pointer_cast<net::asio_loop>(env.loop);
  if (!loop)
    throw configuration_error({errc::invalid_argument,
                               "The zmq driver needs a loop that runs on Asio; leave "
                               "transport_options::loop empty or use asio_scheduler."});
  auto o = read_options(env.conf, url);
  for (const auto& warning : o.warnings) env.log(log_level::warning, warning);
  if (!o.without_effect.empty()) env.log(log_level::warning, o.without_effect);
  return std::make_unique<zmq_driver>(context_ptr(
      new shared_context{.opts = std::move(o), .env = std::move(env), .loop = std::move(loop)}));
}

void add_to(driver_registry& r) {
  r.add("zmq", make_driver, {"oslo_messaging_zmq", option_table()}, examine, driver_trust::trusted);
}

}  // namespace oslo::messaging::zmq
