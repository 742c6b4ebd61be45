#include <oslo/messaging/json.hpp>
#include <oslo/messaging/testing.hpp>
#include <ostream>
#include <utility>

#include "core/tasks/handover.hpp"
#include "drivers/inproc/driver.hpp"
#include "testing/traffic.hpp"

namespace oslo::messaging::testing {
namespace {

using kind = recorded_message::kind;

recorded_message describe(kind what, const target& to, const outgoing_message& m,
                          const send_options& o) {
  recorded_message r;
  r.what = what;
  r.to = to;
  r.ctxt = m.ctxt;
  r.timeout = o.timeout;
  try {
    r.body = parse_json(m.body);
  } catch (const messaging_error&) {
    return r;  // the bus will refuse it
  }
  const auto* const fields = r.body.if_object();
  if (fields == nullptr) return r;
  const auto text = [&](const char* key) -> std::optional<std::string> {
    const value* const v = fields->if_contains(key);
    if (v == nullptr || !v->is_string()) return std::nullopt;
    return std::string(v->get_string().data(), v->get_string().size());
  };
  const bool notice = what == kind::notification;
  r.method = text(notice ? "event_type" : "method").value_or("");
  r.namespace_ = text("namespace");
  r.version = text("version");
  if (const value* const args = fields->if_contains(notice ? "payload" : "args")) r.args = *args;
  return r;
}

/// A driver of fake:// behind the traffic of a test bus.
class tested_driver final : public driver {
 public:
  tested_driver(std::shared_ptr<inproc::bus> table, std::shared_ptr<traffic> t,
                driver_environment env)
      : traffic_(std::move(t)),
        loop_(env.loop),
        inner_(inproc::make_driver(std::move(table), std::move(env))) {}

  capabilities caps() const noexcept override { return inner_->caps(); }
  std::string_view system() const noexcept override { return inner_->system(); }

  void send(target to, outgoing_message m, send_options o, send_completion done) override {
    const auto what = o.wait_for_reply ? kind::call : kind::cast;
    auto record = describe(what, to, m, o);
    const auto sent = std::make_shared<std::pair<target, outgoing_message>>(to, std::move(m));
    pass(std::move(record), std::move(o), std::move(done),
         [to_bus = inner_, sent](send_options opts, send_completion d) {
           to_bus->send(std::move(sent->first), std::move(sent->second), std::move(opts),
                        std::move(d));
         });
  }
  void send_notification(target to, outgoing_message m, notification_format f, send_options o,
                         send_completion done) override {
    auto record = describe(kind::notification, to, m, o);
    const auto sent = std::make_shared<std::pair<target, outgoing_message>>(to, std::move(m));
    pass(std::move(record), std::move(o), std::move(done),
         [to_bus = inner_, sent, f](send_options opts, send_completion d) {
           to_bus->send_notification(std::move(sent->first), std::move(sent->second), f,
                                     std::move(opts), std::move(d));
         });
  }
  std::shared_ptr<listener> listen(target on, listen_options o) override {
    return inner_->listen(std::move(on), o);
  }
  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic> topics,
                                                     std::optional<std::string> pool,
                                                     listen_options o) override {
    return inner_->listen_for_notifications(std::move(topics), std::move(pool), o);
  }
  transport_health health() const override { return health_of(*inner_, *traffic_); }
  void watch_health(unique_function<void(const transport_health&)> changed) override {
    const auto tell =
        std::make_shared<unique_function<void(const transport_health&)>>(std::move(changed));
    loop_->dispatch([t = traffic_, inner = inner_, tell, sender = this] {
      t->watch(sender, [t = t.get(), inner, tell] { (*tell)(health_of(*inner, *t)); });
    });
  }
  void probe(std::chrono::milliseconds limit,
             unique_function<void(result<std::chrono::microseconds>)> done) override {
    inner_->probe(limit, std::move(done));
  }
  void close(std::chrono::milliseconds limit, unique_function<void()> done) override {
    loop_->dispatch(
        [t = traffic_, sender = this, inner = inner_, limit, done = std::move(done)]() mutable {
          t->abandon(sender);
          inner->close(limit, std::move(done));
        });
  }

 private:
  static transport_health health_of(const driver& inner, const traffic& t) {
    if (t.online()) return inner.health();
    return {link_state::connecting, link_state::connecting, {}, "The test took the bus offline."};
  }

  void pass(recorded_message m, send_options o, send_completion done, traffic::forward go) {
    loop_->dispatch([t = traffic_, sender = this, m = std::move(m), o = std::move(o),
                     done = std::move(done), go = std::move(go)]() mutable {
      t->send(std::move(m), sender, std::move(o), std::move(done), std::move(go));
    });
  }

  const std::shared_ptr<traffic> traffic_;
  const std::shared_ptr<scheduler> loop_;
  const std::shared_ptr<driver> inner_;
};

}  // namespace

std::string to_string(const recorded_message& m) {
  static constexpr const char* names[] = {"call ", "cast ", "notification "};
  return names[static_cast<std::size_t>(m.what)] + to_string(m.to) + " " + m.method + "(" +
         to_json(m.args) + ")" + (m.fault ? ", which failed: " + m.fault->message() : "");
}

std::ostream& operator<<(std::ostream& out, const recorded_message& m) {
  return out << to_string(m);
}

class test_bus::impl {
 public:
  explicit impl(transport_options o) : options(std::move(o)) {
    options.loop = loop;
    drivers.add("test", [t = passing, table = table](const transport_url&, driver_environment env) {
      return std::make_unique<tested_driver>(table, t, std::move(env));
    });
  }

  /// Runs `f` on the loop, after all that was posted before, and waits for it.
  template <class F>
  void on_loop(F f) {
    loop->settle();  // refuses to wait on the loop
    const auto ran = std::make_shared<handover<bool>>();
    loop->post([&f, ran] {
      f();
      ran->put(true);
    });
    ran->take(std::nullopt);
  }

  const std::shared_ptr<manual_loop> loop = std::make_shared<manual_loop>();
  const std::shared_ptr<traffic> passing = std::make_shared<traffic>(loop);
  const std::shared_ptr<inproc::bus> table =
      std::make_shared<inproc::bus>(inproc::queue_limits{}, passing);
  transport_options options;
  driver_registry drivers;
};

test_bus::test_bus(transport_options o) : impl_(std::make_shared<impl>(std::move(o))) {}
test_bus::~test_bus() = default;

transport test_bus::open() const {
  return transport::open("test://", impl_->options, impl_->drivers);
}
scheduler::time_point test_bus::now() const {
  return impl_->loop->now();
}
void test_bus::advance(std::chrono::nanoseconds by) {
  impl_->loop->advance(by);
}
void test_bus::settle() {
  impl_->loop->settle();
}
void test_bus::fail_sends(failure why, std::size_t count) {
  impl_->on_loop([&] { impl_->passing->fail_sends(std::move(why), count); });
}
void test_bus::drop_replies(std::size_t count) {
  impl_->on_loop([&] { impl_->passing->drop_replies(count); });
}
void test_bus::go_offline() {
  impl_->on_loop([&] { impl_->passing->go_offline(); });
}
void test_bus::go_online() {
  impl_->on_loop([&] { impl_->passing->go_online(); });
}

std::vector<recorded_message> test_bus::sent() const {
  return impl_->passing->sent();
}
std::vector<recorded_message> test_bus::sent(std::string_view method) const {
  auto all = sent();
  std::erase_if(all, [method](const recorded_message& m) { return m.method != method; });
  return all;
}
std::vector<recorded_message> test_bus::wait_for_sent(std::size_t count,
                                                      std::chrono::milliseconds limit) const {
  return impl_->passing->wait_for_sent(count, limit);
}
void test_bus::forget() {
  impl_->on_loop([&] { impl_->passing->forget(); });
}

}  // namespace oslo::messaging::testing
