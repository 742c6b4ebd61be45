#include "drivers/kafka/driver.hpp"

#include <set>
#include <utility>

#include "core/crossing.hpp"
#include "drivers/kafka/body.hpp"
#include "drivers/kafka/engine.hpp"
#include "drivers/kafka/examiner.hpp"
#include "drivers/kafka/options.hpp"
#include "drivers/kafka/subscription.hpp"
#include "drivers/kafka/topics.hpp"

namespace oslo::messaging::kafka {
namespace {

/// Hands everything to the engine on its loop.
class kafka_driver final : public driver {
 public:
  explicit kafka_driver(context_ptr c)
      : context_(std::move(c)), engine_(std::make_shared<engine>(context_)) {
    engine_->start();
  }
  ~kafka_driver() override {
    close(std::chrono::milliseconds(0), [] {});
  }

  capabilities caps() const noexcept override { return {.rpc = false, .fanout = false}; }
  std::string_view system() const noexcept override { return "kafka"; }

  void send(target, outgoing_message, send_options, send_completion done) override {
    fail(std::move(done), no_rpc());
  }

  void send_notification(target to, outgoing_message m, notification_format f, send_options o,
                         send_completion done) override {
    auto topic = topic_name(*to.topic, context_->opts.vhost);
    if (const auto fits = check_topic(topic); !fits) return fail(std::move(done), fits.error());
    std::string body;
    try {
      if (!m.plain_keys) take_context(m, f);
      write_body(body, m.body, m.ctxt);
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    if (context_->loop->running_here())
      return engine_->send(std::move(topic), std::move(body), std::move(m.headers), std::move(o),
                           std::move(done));
    crossing over(context_->crossing_bytes, body.size());
    if (!over.fits()) return fail(std::move(done), crossing::fell_behind());
    context_->loop->post([e = engine_, over = std::move(over), topic = std::move(topic),
                          body = std::move(body), headers = std::move(m.headers), o = std::move(o),
                          done = std::move(done)]() mutable {
      e->send(std::move(topic), std::move(body), std::move(headers), std::move(o), std::move(done));
    });
  }

  std::shared_ptr<listener> listen(target, listen_options) override {
    throw messaging_error(no_rpc());
  }

  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic> topics,
                                                     std::optional<std::string> pool,
                                                     listen_options l) override {
    std::set<std::string> names;
    for (const auto& t : topics) {
      auto name = topic_name(*t.where.topic + "." + t.priority, context_->opts.vhost);
      check_topic(name).value();
      names.insert(std::move(name));
    }
    const bool has_pool = pool && !pool->empty();
    return engine_
        ->listen({names.begin(), names.end()}, has_pool ? *std::move(pool) : context_->opts.group,
                 l.prefetch)
        ->handle();
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
  static failure no_rpc() {
    return {errc::not_supported, "The driver of kafka:// cannot carry RPC."};
  }
  void fail(send_completion done, failure why) {
    context_->loop->post([done = std::move(done), why = std::move(why)]() mutable { done(why); });
  }

  const context_ptr context_;
  const std::shared_ptr<engine> engine_;
};

}  // namespace

std::unique_ptr<driver> make_driver(const transport_url& url, driver_environment env) {
  auto loop = std::dynamic_pointer_cast<net::asio_loop>(env.loop);
  if (!loop)
    throw configuration_error({errc::invalid_argument,
                               "The kafka driver needs a loop that runs on Asio; leave "
                               "transport_options::loop empty or use asio_scheduler."});
  auto o = read_options(env.conf, url, env.client_name);
  for (const auto& warning : o.warnings) env.log(log_level::warning, warning);
  if (!o.without_effect.empty()) env.log(log_level::warning, o.without_effect);
  return std::make_unique<kafka_driver>(context_ptr(
      new shared_context{.opts = std::move(o), .env = std::move(env), .loop = std::move(loop)}));
}

void add_to(driver_registry& r) {
  r.add("kafka", make_driver, {"oslo_messaging_kafka", option_table()}, examine,
        driver_trust::trusted);
}

}  // namespace oslo::messaging::kafka
