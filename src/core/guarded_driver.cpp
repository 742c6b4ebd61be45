#include "core/guarded_driver.hpp"

#include <atomic>
#include <chrono>
#include <optional>
#include <oslo/messaging/detail/current_failure.hpp>
#include <stop_token>
#include <utility>
#include <vector>

#include "core/tasks/one_answer.hpp"

namespace oslo::messaging {
namespace {

/// For what a driver itself says of a send whose time is over, or that is cancelled.
constexpr std::chrono::milliseconds driver_grace{1'000};
/// After a `next` that threw: it may throw each time.
constexpr std::chrono::seconds pause_before_next{1};

/// A pull that counts once, whoever ends it: the driver, or we when it has thrown.
///
/// Thread safety: any thread.
template <class A>
class once {
 public:
  explicit once(unique_function<void(A)> f) : f_(std::move(f)) {}
  void operator()(A a) {
    if (used_.exchange(true)) return;
    auto f = std::move(f_);
    if (f) f(std::move(a));
  }

 private:
  std::atomic<bool> used_{false};
  unique_function<void(A)> f_;
};

struct nothing {};

/// How long an answer may take.
struct answer_time {
  std::optional<std::chrono::milliseconds> limit{};
  std::stop_token cancel{};
};

/// What the guards of one driver share.
struct guard : std::enable_shared_from_this<guard> {
  guard(std::string n, logger l, std::weak_ptr<scheduler> where)
      : name(std::move(n)), log(std::move(l)), loop(std::move(where)) {}

  const std::string name;
  const logger log;
  const std::weak_ptr<scheduler> loop;  // a message may outlast it

  std::string title() const { return "The driver \"" + name + "\""; }
  /// In a `catch` block.
  failure thrown(const char* member, errc code = errc::broker_error) const {
    return detail::current_failure(code, title() + " threw in " + member);
  }
  void log_thrown(const char* member) const { log(log_level::error, thrown(member).message()); }

  /// Asks the driver by `begin(taker)`: `done` gets one answer, and by default that the driver
  /// threw `code` or let go of it.
  template <class Value, class Begin>
  void ask(const char* member, errc code, unique_function<void(result<Value>)> done, Begin begin,
           const answer_time& p = {}) const {
    const auto answer = std::make_shared<one_answer<result<Value>>>(
        loop, std::move(done), [code, member, self = shared_from_this()]() -> result<Value> {
          return failure(code, self->title() + " has let go of " + member + " unanswered.");
        });
    if (p.limit || p.cancel.stop_possible())
      answer->limit(p.limit, p.cancel, title(), driver_grace);
    try {
      begin(answer->taker());
    } catch (...) {
      answer->give(thrown(member, code));
    }
    answer->returned();
  }
  /// The same where an exception is only logged.
  template <class Begin>
  void ask(const char* member, unique_function<void()> done, Begin begin) const {
    const auto answer = std::make_shared<one_answer<nothing>>(
        loop, [done = std::move(done)](nothing) mutable { done(); }, [] { return nothing(); });
    try {
      begin([taker = answer->taker()]() mutable { taker({}); });
    } catch (...) {
      log_thrown(member);
      answer->give({});
    }
    answer->returned();
  }
};
using shared_guard = std::shared_ptr<const guard>;

// ---- messages -----------------------------------------------------------------------------------

class guarded_message final : public incoming_message {
 public:
  guarded_message(std::unique_ptr<incoming_message> inner, shared_guard g)
      : inner_(std::move(inner)), guard_(std::move(g)) {}

  std::span<const message_field> fields() const noexcept override { return inner_->fields(); }
  const context& ctxt() const noexcept override { return inner_->ctxt(); }
  std::string_view body() const noexcept override { return inner_->body(); }
  std::string_view message_id() const noexcept override { return inner_->message_id(); }
  std::optional<double> client_timeout() const noexcept override {
    return inner_->client_timeout();
  }
  bool redelivered() const noexcept override { return inner_->redelivered(); }
  std::optional<std::size_t> requeues() const noexcept override { return inner_->requeues(); }
  std::span<const message_header> headers() const noexcept override { return inner_->headers(); }
  std::optional<scheduler::time_point> deadline() const noexcept override {
    return inner_->deadline();
  }

  void acknowledge() override {
    try {
      inner_->acknowledge();
    } catch (...) {
      if (!later_) throw messaging_error(guard_->thrown("acknowledge"));
      guard_->log_thrown("acknowledge");
    }
  }
  void acknowledge_later() override {
    later_ = true;
    try {
      inner_->acknowledge_later();
    } catch (...) {
      guard_->log_thrown("acknowledge_later");
    }
  }
  void requeue() override {
    try {
      inner_->requeue();
    } catch (...) {
      guard_->log_thrown("requeue");
    }
  }
  void reply(outgoing_reply r, unique_function<void(result<void>)> done) override {
    guard_->ask<void>("reply", errc::broker_error, std::move(done),
                      [&](auto taker) { inner_->reply(std::move(r), std::move(taker)); });
  }
  void heartbeat(unique_function<void(result<void>)> done) override {
    if (done)
      return guard_->ask<void>("heartbeat", errc::broker_error, std::move(done),
                               [&](auto taker) { inner_->heartbeat(std::move(taker)); });
    try {
      inner_->heartbeat();
    } catch (...) {
      throw messaging_error(guard_->thrown("heartbeat"));
    }
  }

 private:
  const std::unique_ptr<incoming_message> inner_;
  const shared_guard guard_;
  bool later_ = false;
};

// ---- subscriptions ------------------------------------------------------------------------------

class guarded_listener final : public listener,
                               public std::enable_shared_from_this<guarded_listener> {
 public:
  guarded_listener(std::shared_ptr<listener> inner, shared_guard g)
      : inner_(std::move(inner)), guard_(std::move(g)) {}

  void next(std::size_t max, unique_function<void(incoming_batch)> done) override {
    pull(max, std::make_shared<once<incoming_batch>>(std::move(done)));
  }
  void stop() override {
    stopped_ = true;
    bool threw = false;
    try {
      inner_->stop();
    } catch (...) {
      threw = true;
      guard_->log_thrown("stop");
    }
    // A pull that the driver has refused, or will not end any more.
    if (threw || waits_)
      if (const auto open = pull_.lock()) (*open)({});
  }
  void ready(unique_function<void(result<void>)> done) override {
    guard_->ask<void>("ready", errc::broker_error, std::move(done),
                      [&](auto taker) { inner_->ready(std::move(taker)); });
  }
  void when_gone(unique_function<void()> done) override {
    guard_->ask("when_gone", std::move(done),
                [&](auto taker) { inner_->when_gone(std::move(taker)); });
  }
  bool consuming() const noexcept override { return inner_->consuming(); }
  void watch(unique_function<void()> changed) override {
    try {
      inner_->watch(std::move(changed));
    } catch (...) {
      guard_->log_thrown("watch");
    }
  }

 private:
  void pull(std::size_t max, std::shared_ptr<once<incoming_batch>> done) {
    pull_ = done;
    waits_ = false;
    try {
      return inner_->next(max, [done, g = guard_](incoming_batch batch) {
        std::erase(batch, nullptr);
        for (auto& m : batch) m = std::make_unique<guarded_message>(std::move(m), g);
        (*done)(std::move(batch));
      });
    } catch (...) {
      guard_->log_thrown("next");
    }
    if (stopped_) return (*done)({});
    const auto loop = guard_->loop.lock();
    if (!loop) return;
    waits_ = true;
    loop->run_at(loop->now() + pause_before_next,
                 [weak = weak_from_this(), max, done = std::move(done)]() mutable {
                   const auto self = weak.lock();
                   if (self && !self->stopped_) self->pull(max, std::move(done));
                 });
  }

  const std::shared_ptr<listener> inner_;
  const shared_guard guard_;
  std::weak_ptr<once<incoming_batch>> pull_{};  ///< the last one
  bool waits_ = false;                          ///< it is to be tried again
  bool stopped_ = false;
};

// ---- the driver ---------------------------------------------------------------------------------

class driver_guard final : public driver {
 public:
  driver_guard(std::unique_ptr<driver> inner, shared_guard g)
      : inner_(std::move(inner)), guard_(std::move(g)) {}

  capabilities caps() const noexcept override { return inner_->caps(); }
  std::string_view system() const noexcept override { return inner_->system(); }

  // Whether a message has left that a driver threw at is not known.
  void send(target to, outgoing_message m, send_options o, send_completion done) override {
    const answer_time p{o.timeout, o.cancel};
    guard_->ask<reply>(
        "send", errc::outcome_unknown, std::move(done),
        [&](auto taker) {
          inner_->send(std::move(to), std::move(m), std::move(o), std::move(taker));
        },
        p);
  }
  void send_notification(target to, outgoing_message m, notification_format f, send_options o,
                         send_completion done) override {
    const answer_time p{o.timeout, o.cancel};
    guard_->ask<reply>(
        "send_notification", errc::outcome_unknown, std::move(done),
        [&](auto taker) {
          inner_->send_notification(std::move(to), std::move(m), f, std::move(o), std::move(taker));
        },
        p);
  }
  std::shared_ptr<listener> listen(target on, listen_options o) override {
    return guard_of("listen", [&] { return inner_->listen(std::move(on), o); });
  }
  std::shared_ptr<listener> listen_for_notifications(std::vector<notification_topic> topics,
                                                     std::optional<std::string> pool,
                                                     listen_options o) override {
    return guard_of("listen_for_notifications", [&] {
      return inner_->listen_for_notifications(std::move(topics), std::move(pool), o);
    });
  }
  transport_health health() const override {
    try {
      return inner_->health();
    } catch (...) {
      return {link_state::closed, link_state::closed, {}, guard_->thrown("health").message()};
    }
  }
  void watch_health(unique_function<void(const transport_health&)> changed) override {
    try {
      inner_->watch_health(std::move(changed));
    } catch (...) {
      guard_->log_thrown("watch_health");
    }
  }
  void probe(std::chrono::milliseconds limit,
             unique_function<void(result<std::chrono::microseconds>)> done) override {
    guard_->ask<std::chrono::microseconds>(
        "probe", errc::broker_error, std::move(done),
        [&](auto taker) { inner_->probe(limit, std::move(taker)); }, {.limit = limit});
  }
  void close(std::chrono::milliseconds limit, unique_function<void()> done) override {
    const auto g = guard_;  // `done` may end this
    g->ask("close", std::move(done), [&](auto taker) { inner_->close(limit, std::move(taker)); });
  }

 private:
  template <class F>
  std::shared_ptr<listener> guard_of(const char* member, F begin) const {
    std::shared_ptr<listener> made;
    try {
      made = begin();
    } catch (...) {
      throw messaging_error(guard_->thrown(member));
    }
    if (!made)
      throw messaging_error(
          {errc::broker_error, guard_->title() + " returned no listener from " + member + "."});
    return std::make_shared<guarded_listener>(std::move(made), guard_);
  }

  const std::unique_ptr<driver> inner_;
  const shared_guard guard_;
};

}  // namespace

std::unique_ptr<driver> guarded_driver(std::unique_ptr<driver> inner,
                                       const std::shared_ptr<scheduler>& loop, logger log,
                                       std::string name) {
  return std::make_unique<driver_guard>(
      std::move(inner), std::make_shared<const guard>(std::move(name), std::move(log), loop));
}

}  // namespace oslo::messaging
