#include "drivers/rabbit/reply_sender.hpp"

#include <algorithm>
#include <utility>

#include "core/unique_id.hpp"
#include "drivers/rabbit/engine.hpp"
#include "wire/reply.hpp"

namespace oslo::messaging::rabbit {
namespace {

constexpr std::size_t max_dead = 200;
constexpr std::chrono::seconds memory_of_dead{60};

/// The broker has looked at the reply, or it could not even be encoded: another one may pass.
bool is_about_the_answer(errc e) noexcept {
  return e == errc::precondition_failed || e == errc::invalid_argument || e == errc::broker_error;
}

failure does_not_exist(const std::string& queue) {
  return {errc::undeliverable, queue + " does not exist."};
}

}  // namespace

send_ptr reply_sender::make(std::string queue, std::string body) const {
  const auto s = std::make_shared<pending_send>();
  s->to = reply_destination(std::move(queue));
  s->body = std::move(body);
  s->mandatory = owner_.opts().mandatory_replies;
  s->awaited = false;
  return s;
}

void reply_sender::send(pending_reply a) {
  if (is_dead(a.queue)) {
    owner_.env().log(log_level::warning, a.queue + " doesn't exist, drop reply to " + a.message_id);
    owner_.count("rpc_server_dropped_replies_total");
    if (a.done) a.done(does_not_exist(a.queue));
    return;
  }
  const auto s = make(a.queue, std::move(a.body));
  s->awaited = a.awaited;
  s->patience_returned = s->patience_refused = owner_.opts().missing_reply_queue_timeout;
  s->from = a.from;
  s->done = [weak = weak_from_this(), a = std::move(a),
             since = owner_.loop().now()](result<reply> r) mutable {
    if (const auto self = weak.lock())
      self->sent(a, since, r ? result<void>() : result<void>(r.error()));
  };
  owner_.send(s);
}

void reply_sender::sent(pending_reply& a, clock::time_point since, result<void> r) {
  if (r.has_error()) {
    const auto& why = r.error();
    const auto waited = owner_.loop().now() - since;
    if (why.code() == errc::undeliverable) {
      owner_.env().log(
          log_level::error,
          "The reply " + a.message_id + " failed to send after " +
              std::to_string(std::chrono::duration_cast<std::chrono::seconds>(waited).count()) +
              " seconds due to a missing queue (" + a.queue + "). Abandoning...");
      // A server that ends early says nothing about the caller.
      if (waited >= owner_.opts().missing_reply_queue_timeout) remember_dead(a.queue);
    } else {
      owner_.env().log(log_level::error,
                       "Can not send the reply for message " + a.message_id + ": " + why.message());
    }
    owner_.count("rpc_server_dropped_replies_total");
    if (is_about_the_answer(why.code())) replace(a, why);
  }
  if (a.done) std::exchange(a.done, nullptr)(std::move(r));
}

/// The caller learns why there is no reply instead of waiting until its time is over.
void reply_sender::replace(pending_reply& a, const failure& why) {
  outgoing_reply instead;
  auto& error = instead.failure.emplace();
  error.type = "MessageDeliveryFailure";
  error.module = "oslo_messaging.exceptions";
  error.message = "The reply could not be sent: " + why.message();
  std::string body;
  wire::write_reply(body, instead, {a.message_id, a.message_id_is_text}, unique_digits());
  const auto s = make(a.queue, std::move(body));
  s->patience_returned = s->patience_refused = owner_.opts().missing_reply_queue_timeout;
  s->from = a.from;
  s->done = [log = owner_.env().log](result<reply> r) {
    if (r.has_error()) log(log_level::debug, "The error reply was lost: " + r.error().message());
  };
  owner_.send(s);
}

void reply_sender::heartbeat(std::string queue, std::string body,
                             unique_function<void(result<void>)> done) {
  if (is_dead(queue)) {
    if (done) done(does_not_exist(queue));
    return;
  }
  const auto s = make(std::move(queue), std::move(body));
  s->awaited = static_cast<bool>(done);
  s->done = [log = owner_.env().log, done = std::move(done)](result<reply> r) mutable {
    if (r.has_error()) log(log_level::debug, "Heartbeat send failed: " + r.error().message());
    if (done) done(r ? result<void>() : result<void>(r.error()));
  };
  owner_.send(s);
}

bool reply_sender::is_dead(const std::string& queue) {
  if (dead_.empty()) return false;
  const auto it = dead_.find(queue);
  if (it == dead_.end()) return false;
  if (owner_.loop().now() - it->second < memory_of_dead) return true;
  dead_.erase(it);
  return false;
}

void reply_sender::remember_dead(const std::string& queue) {
  if (dead_.size() >= max_dead)
    dead_.erase(std::min_element(dead_.begin(), dead_.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; }));
  dead_[queue] = owner_.loop().now();
}

}  // namespace oslo::messaging::rabbit
