#include "drivers/rabbit/answers.hpp"

#include <algorithm>
#include <utility>

namespace oslo::messaging::rabbit {
namespace {

constexpr std::chrono::milliseconds pause{250};
/// Long enough for a caller that reconnects after a fail-over to declare its queue again.
constexpr std::chrono::seconds patience_when_ending{2};
constexpr std::size_t max_retrying = 1'000;
constexpr std::size_t max_dead = 200;
constexpr std::chrono::seconds memory_of_dead{60};

}  // namespace

struct answers::attempt : outgoing_answer {
  explicit attempt(outgoing_answer a) : outgoing_answer(std::move(a)) {}
  clock::time_point since;
  bool retrying = false;
};

answers::answers(const options& o, const driver_environment& env,
                 std::shared_ptr<net::asio_loop> loop, std::shared_ptr<publisher> out)
    : options_(o), env_(env), loop_(std::move(loop)), out_(std::move(out)) {}

void answers::send(outgoing_answer a) {
  if (is_dead(a.queue)) {
    env_.log(log_level::warning, a.queue + " doesn't exist, drop reply to " + a.message_id);
    count_dropped();
    if (a.done) a.done(failure(errc::undeliverable, a.queue + " does not exist."));
    return;
  }
  const auto first = std::make_shared<attempt>(std::move(a));
  first->since = loop_->now();
  publish(first);
}

void answers::publish(const attempt_ptr& a) {
  auto p = std::make_shared<publication>();
  p->to = reply_destination(a->queue);
  p->mandatory = options_.mandatory_replies;
  p->body = std::move(a->body);
  p->awaited = a->awaited;
  p->done = [weak = weak_from_this(), a, sent = p.get()](result<void> r) {
    const auto self = weak.lock();
    if (!self) return;
    if (r.has_error() && r.error().code() == errc::undeliverable) {
      a->body = std::move(sent->body);  // it is there as long as it may call this
      return self->returned(a, r.error());
    }
    if (std::exchange(a->retrying, false)) --self->retrying_;
    if (r.has_error())
      self->env_.log(log_level::error, "Can not send the reply for message " + a->message_id +
                                           ": " + r.error().message());
    if (a->done) std::exchange(a->done, nullptr)(std::move(r));
  };
  out_->publish(p);
}

void answers::returned(const attempt_ptr& a, const failure& why) {
  const auto patience = a->from && a->from->is_ending()
                            ? std::min(options_.missing_reply_queue_timeout, patience_when_ending)
                            : options_.missing_reply_queue_timeout;
  const bool too_many = !a->retrying && retrying_ >= max_retrying;
  if (closed_ || too_many || loop_->now() - a->since >= patience) return give_up(a, why);
  if (!std::exchange(a->retrying, true)) ++retrying_;
  waiting_.insert(a);
  loop_->run_at(loop_->now() + pause, [weak = weak_from_this(), a] {
    const auto self = weak.lock();
    if (self && self->waiting_.erase(a) != 0) self->publish(a);
  });
}

void answers::give_up(const attempt_ptr& a, const failure& why) {
  if (std::exchange(a->retrying, false)) --retrying_;
  const auto waited = std::chrono::duration_cast<std::chrono::seconds>(loop_->now() - a->since);
  env_.log(log_level::error, "The reply " + a->message_id + " failed to send after " +
                                 std::to_string(waited.count()) +
                                 " seconds due to a missing queue (" + a->queue +
                                 "). Abandoning...");
  count_dropped();
  // A server that ends early says nothing about the caller.
  if (loop_->now() - a->since >= options_.missing_reply_queue_timeout) remember_dead(a->queue);
  if (a->done) std::exchange(a->done, nullptr)(why);
}

void answers::heartbeat(std::string queue, std::string body) {
  if (is_dead(queue)) return;
  auto p = std::make_shared<publication>();
  p->to = reply_destination(std::move(queue));
  p->mandatory = options_.mandatory_replies;
  p->body = std::move(body);
  p->awaited = false;
  p->done = [log = env_.log](result<void> r) {
    if (r.has_error()) log(log_level::debug, "Heartbeat send failed: " + r.error().message());
  };
  out_->publish(p);
}

void answers::close() {
  closed_ = true;
  const failure why(errc::closed, "The transport was closed.");
  for (const auto& a : std::exchange(waiting_, {})) give_up(a, why);
}

bool answers::is_dead(const std::string& queue) {
  if (dead_.empty()) return false;
  const auto it = dead_.find(queue);
  if (it == dead_.end()) return false;
  if (loop_->now() - it->second < memory_of_dead) return true;
  dead_.erase(it);
  return false;
}

void answers::remember_dead(const std::string& queue) {
  if (dead_.size() >= max_dead)
    dead_.erase(std::min_element(dead_.begin(), dead_.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; }));
  dead_[queue] = loop_->now();
}

void answers::count_dropped() {
  if (env_.meter) env_.meter->add("rpc_server_dropped_replies_total", {}, 1);
}

}  // namespace oslo::messaging::rabbit
