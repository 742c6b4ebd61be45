#include "drivers/inproc/driver.hpp"

#include <utility>

#include "drivers/inproc/names.hpp"
#include "drivers/inproc/node.hpp"
#include "wire/failure_json.hpp"
#include "wire/relayed.hpp"

namespace oslo::messaging::inproc {
namespace {

/// With the text, and the members that a peer would read in it.
remote_failure over_the_wire(const remote_failure& f) {
  std::string json;
  wire::write_failure(json, f);
  return wire::read_failure(std::move(json));
}

class incoming final : public incoming_message {
 public:
  incoming(queue_reader::taken taken, std::shared_ptr<node> owner) noexcept
      : taken_(std::move(taken)), owner_(std::move(owner)) {}
  ~incoming() override { give_back(); }
  incoming(const incoming&) = delete;
  incoming& operator=(const incoming&) = delete;

  std::span<const message_field> fields() const noexcept override { return what().fields(); }
  const context& ctxt() const noexcept override { return what().ctxt(); }
  std::string_view body() const noexcept override { return what().text(); }
  std::string_view message_id() const noexcept override {
    return what().reply_to ? what().reply_to->id.view() : std::string_view();
  }
  std::optional<double> client_timeout() const noexcept override {
    if (what().monitor <= std::chrono::milliseconds::zero()) return std::nullopt;  // or none
    return std::chrono::duration<double>(*what().monitor).count();
  }
  bool redelivered() const noexcept override { return taken_.message.redelivered; }
  std::optional<std::size_t> requeues() const noexcept override { return taken_.message.requeues; }
  std::span<const message_header> headers() const noexcept override { return what().headers; }
  std::optional<scheduler::time_point> deadline() const noexcept override {
    return what().deadline;
  }

  void acknowledge() override { settled_ = true; }
  void requeue() override {
    if (!settled_) ++taken_.message.requeues;
    give_back();
  }

  void reply(outgoing_reply r, unique_function<void(result<void>)> done) override {
    if (const auto& address = what().reply_to) {
      if (const auto caller = address->caller.lock()) {
        result<messaging::reply> outcome = messaging::reply{std::move(r.result)};
        if (r.failure) outcome = failure(over_the_wire(*r.failure));
        if (auto* const gate = owner_->where()->gate())
          // Weak, because the caller owns the gate by way of the bus.
          gate->pass([to = address->caller, id = address->id, a = std::move(outcome)]() mutable {
            if (const auto still_there = to.lock()) still_there->take_reply(id, std::move(a));
          });
        else
          caller->take_reply(address->id, std::move(outcome));
      }
    }
    if (done) owner_->later(std::move(done));
  }
  void heartbeat(unique_function<void(result<void>)> done) override {
    const auto* const gate = owner_->where()->gate();
    bool gone = false;
    if (const auto& address = what().reply_to) {
      const auto caller = address->caller.lock();
      gone = !caller || caller->is_closing();
      if (!gone && (gate == nullptr || gate->lets_heartbeats_pass()))
        caller->heartbeat(address->id);
    }
    if (!done) return;
    owner_->later([done = std::move(done), gone](result<void> r) mutable {
      if (gone) r = failure(errc::undeliverable, "The caller's transport is closed.");
      done(std::move(r));
    });
  }

 private:
  const content& what() const noexcept { return *taken_.message.what; }
  void give_back() {
    if (!std::exchange(settled_, true)) owner_->where()->requeue(*taken_.from, taken_.message);
  }

  queue_reader::taken taken_;
  std::shared_ptr<node> owner_;
  bool settled_ = false;
};

class inproc_listener final : public listener {
 public:
  inproc_listener(std::shared_ptr<node> owner, std::vector<std::shared_ptr<queue>> queues)
      : owner_(std::move(owner)), reader_(owner_->subscribe(std::move(queues))) {}
  ~inproc_listener() override { reader_->stop(); }

  /// One whose queues cannot be: nothing comes.
  inproc_listener(std::shared_ptr<node> owner, failure refused)
      : owner_(std::move(owner)), reader_(owner_->subscribe({})), refused_(std::move(refused)) {}

  void next(std::size_t max, unique_function<void(incoming_batch)> done) override {
    reader_->next(max, [owner = owner_, done = std::move(done)](queue_reader::batch taken) mutable {
      incoming_batch messages;
      messages.reserve(taken.size());
      for (auto& t : taken) messages.push_back(std::make_unique<incoming>(std::move(t), owner));
      done(std::move(messages));
    });
  }
  void stop() override { reader_->stop(); }
  void ready(unique_function<void(result<void>)> done) override {
    owner_->later(
        [owner = owner_, refused = refused_, done = std::move(done)](result<void> r) mutable {
          if (r && refused) r = *refused;
          if (r && owner->is_closing()) r = failure(errc::closed, "The transport was closed.");
          done(std::move(r));
        });
  }

 private:
  std::shared_ptr<node> owner_;
  std::shared_ptr<queue_reader> reader_;
  std::optional<failure> refused_;
};

class inproc_driver final : public driver {
 public:
  inproc_driver(std::shared_ptr<bus> b, driver_environment env)
      : node_(std::make_shared<node>(std::move(b), std::move(env))) {}
  ~inproc_driver() override { node_->close({}); }

  capabilities caps() const noexcept override { return {}; }

  void send(target to, outgoing_message m, send_options o, send_completion done) override {
    try {
      if (!m.plain_keys) wire::remove_own_keys(m.body);
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    node_->send(std::move(to), std::move(m), std::move(o), std::move(done));
  }
  void send_notification(target to, outgoing_message m, notification_format f, send_options o,
                         send_completion done) override {
    try {
      if (!m.plain_keys) wire::remove_own_keys(m.body, f);
    } catch (const messaging_error& e) {
      return fail(std::move(done), e.failure());
    }
    o.wait_for_reply = false;
    node_->send(std::move(to), std::move(m), std::move(o), std::move(done));
  }
  std::shared_ptr<listener> listen(target on, listen_options) override {
    const std::string_view exchange = node_->exchange_of(on);
    auto fits = check_names(exchange, *on.topic, std::string_view(*on.server), false);
    if (fits) fits = check_names(exchange, *on.topic, std::nullopt, true);
    if (!fits) return std::make_shared<inproc_listener>(node_, fits.error());
    return std::make_unique<inproc_listener>(
        node_, node_->where()->declare_server(node_->exchange_of(on), *on.topic, *on.server));
  }
  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic> topics,
                                                     std::optional<std::string> pool,
                                                     listen_options) override {
    std::vector<std::shared_ptr<queue>> queues;
    result<void> fits = pool ? check_name(*pool) : result<void>();
    for (const auto& t : topics)
      if (fits)
        fits = check_names(node_->exchange_of(t.where), *t.where.topic + '.' + t.priority,
                           std::nullopt, false);
    if (!fits) return std::make_shared<inproc_listener>(node_, fits.error());
    for (const auto& t : topics)
      queues.push_back(node_->where()->declare_listener(node_->exchange_of(t.where),
                                                        *t.where.topic + '.' + t.priority, pool));
    return std::make_unique<inproc_listener>(node_, std::move(queues));
  }
  transport_health health() const override {
    const auto state = node_->is_closing() ? link_state::closed : link_state::connected;
    return {state, state, {}, {}};
  }
  void watch_health(unique_function<void(const transport_health&)> changed) override {
    node_->watch_close([changed = std::move(changed)]() mutable {
      changed({link_state::closed, link_state::closed, {}, {}});
    });
  }
  void probe(std::chrono::milliseconds,
             unique_function<void(result<std::chrono::microseconds>)> done) override {
    node_->probe(std::move(done));
  }
  void close(std::chrono::milliseconds, unique_function<void()> done) override {
    node_->close(std::move(done));
  }

 private:
  void fail(send_completion done, failure why) {
    node_->later([done = std::move(done), why = std::move(why)](auto) mutable { done(why); });
  }

  std::shared_ptr<node> node_;
};

}  // namespace

std::unique_ptr<driver> make_driver(const transport_url&, driver_environment env) {
  return make_driver(bus::shared(), std::move(env));
}

std::unique_ptr<driver> make_driver(std::shared_ptr<bus> shared, driver_environment env) {
  return std::make_unique<inproc_driver>(std::move(shared), std::move(env));
}

void add_to(driver_registry& r) {
  r.add(
      "fake",
      [](const transport_url& url, driver_environment env) {
        return make_driver(url, std::move(env));
      },
      {}, {}, driver_trust::trusted);
}

}  // namespace oslo::messaging::inproc
