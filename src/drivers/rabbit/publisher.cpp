#include "drivers/rabbit/publisher.hpp"

#include <algorithm>

#include "core/tasks/raised_flag.hpp"
#include "drivers/rabbit/deadline.hpp"
#include "drivers/rabbit/mismatch.hpp"
#include "net/amqp_failure.hpp"

namespace oslo::messaging::rabbit {
namespace {

using clock = std::chrono::steady_clock;

/// Unconfirmed messages on the wire. Beyond about a thousand a larger window only adds latency.
constexpr std::size_t window = 2048;
/// So many unconfirmed messages are many milliseconds' work for any broker.
constexpr std::size_t many = 256;
/// Messages that wait for the link or the window.
constexpr std::size_t max_waiting = 100'000;
/// Unsent output above which nothing more is encoded.
constexpr std::size_t output_high_water = 4u << 20;
/// A message that was on the channel this often when the broker closed it is given up.
constexpr std::uint8_t max_channel_losses = 3;
constexpr std::uint8_t persistent = 2;
constexpr milliseconds straight_through{100};

constexpr amqp091::request_id feeding = 1;

constexpr std::uint16_t not_found = 404;
constexpr std::uint16_t precondition_failed = 406;

/// The broker's words name the object in quotes: 'openstack'.
bool names(const amqp091::close_reason& why, const std::string& name) {
  return !name.empty() && why.text.find("'" + name + "'") != std::string::npos;
}

amqp091::properties with_headers(amqp091::properties properties,
                                 const std::vector<message_header>& headers) {
  if (!properties.headers) properties.headers.emplace();
  for (const auto& h : headers) properties.headers->set(h.name, h.value);
  return properties;
}

}  // namespace

void publisher::publish(const publication_ptr& p) {
  if (is_shut()) return settle(*p, failure(errc::closed, "The transport is closed."));
  if (!is_open()) {
    if (p->fail_fast)
      return settle(*p, failure(errc::not_sent, "Not connected to " + broker_name() + "."));
    // While the broker refuses us, waiting would only hide why.
    if (last_failure() && net::is_verdict(last_failure()->code()))
      return settle(*p, *last_failure());
  }
  if (waiting_.size() >= max_waiting) forget_abandoned();
  if (waiting_.size() >= max_waiting)
    return settle(*p, failure(errc::limit_exceeded,
                              std::to_string(max_waiting) + " messages already wait for " +
                                  (broker_name().empty() ? "the broker" : broker_name()) + "."));
  waiting_.push_back(p);
  if (is_open())
    pump();
  else
    open();
}

void publisher::abandon(publication& p) {
  if (p.at == publication::stage::settled) return;
  p.done = nullptr;
  // A written one stays in the window: its confirm is still to come, it is only not repeated.
  p.at = publication::stage::abandoned;
}

void publisher::settle(publication& p, result<void> r) {
  if (p.at == publication::stage::abandoned) return;
  p.at = publication::stage::settled;
  if (p.done) std::exchange(p.done, nullptr)(std::move(r));
}

/// Never says "not sent" of what may have arrived.
void publisher::give_up(publication& p, const failure& why) {
  settle(p, p.ever_written ? failure(errc::outcome_unknown,
                                     "The message for " + p.to.text() +
                                         " was sent but never confirmed: " + why.message())
                           : why);
}

bool publisher::can_write() noexcept {
  return is_open() && channel_ != 0 && !blocked_ && unconfirmed_count_ < window &&
         machine().output_size() < output_high_water;
}

void publisher::pump() {
  if (pumping_) return;  // a completion published
  const raised_flag pumping(pumping_);
  while (!waiting_.empty() && can_write()) {
    const auto p = std::move(waiting_.front());
    waiting_.pop_front();
    if (p->at != publication::stage::abandoned) write(p);
  }
  choose_patience();
  if (is_open()) flush_later();
}

/// The confirms of calls and replies only free the window: they need not wake us one by one. With
/// many messages on the wire each takes far longer than the moment that confirms wait to be read.
void publisher::choose_patience() {
  crowded_ = unconfirmed_count_ >= (crowded_ ? many / 2 : many);  // not to and fro at the limit
  if (idle_done_ || unconfirmed_count_ == 0)
    read_with(patience::none);
  else if (awaited_count_ == 0 && waiting_.empty())
    read_with(patience::ample);
  else
    read_with(crowded_ ? patience::brief : patience::none);
}

void publisher::write(const publication_ptr& p) {
  try {
    ensure_destination(p->to);
    const auto ttl = p->to.message_ttl;
    auto& properties = p->expires         ? timed_properties_
                       : ttl.count() != 0 ? aging_properties_
                                          : properties_;
    if (p->expires) {
      // Of a message that went straight through exactly what the caller asked for, as Python does;
      // of one that had to wait or is repeated what is left.
      auto left = std::chrono::duration_cast<milliseconds>(*p->expires - clock::now());
      if (p->lifetime - left < straight_through && !p->ever_written) left = p->lifetime;
      left = std::max(left, milliseconds(1));
      set_call_time(timed_properties_,
                    stamp_.of(left, clock::now(), std::chrono::system_clock::now()));
    }
    if (!p->expires && ttl.count() != 0) aging_properties_.expiration = std::to_string(ttl.count());
    if (p->headers.empty())
      machine().publish(channel_, p->to.to.name, p->to.routing_key, p->mandatory, properties,
                        p->body);
    else
      machine().publish(channel_, p->to.to.name, p->to.routing_key, p->mandatory,
                        with_headers(properties, p->headers), p->body);
  } catch (const std::length_error& e) {
    // Not `limit_exceeded`, which passes: no broker would ever take this one.
    return settle(
        *p, failure(errc::invalid_argument, "Cannot publish to " + p->to.text() + ": " + e.what()));
  }
  p->at = publication::stage::written;
  p->ever_written = true;
  p->returned = false;
  unconfirmed_.push_back(p);
  ++unconfirmed_count_;
  if (p->awaited) ++awaited_count_;
}

/// Pipelined: the broker handles the declare before the publish that follows it.
void publisher::ensure_destination(const destination& to) {
  if (to.to.name.empty()) return;
  auto declared = declared_.find(to.to.name);
  if (declared == declared_.end()) {
    if (!foreign_.contains(to.to.name))
      machine().exchange_declare(channel_, 0, to.to.name, to.to.type, false, to.to.durable,
                                 to.to.auto_delete, {});
    declared = declared_.try_emplace(to.to.name).first;
  }
  if (to.ensure_queue) {
    auto& queues = declared->second;
    if (queues.contains(to.ensure_queue->name)) {
      if (readers_.due(to.ensure_queue->name, clock::now())) declare_queue(to);
      return;
    }
    // One that vanishes with its readers is not to be made again behind their back.
    if (!to.ensure_queue->auto_delete) readers_.feeds(to.ensure_queue->name, clock::now());
    declare_queue(to);
    queues.insert(to.ensure_queue->name);
  }
}

/// The answer tells how many read it. Of a queue with other properties only that is asked.
void publisher::declare_queue(const destination& to) {
  const auto& q = *to.ensure_queue;
  if (foreign_.contains(q.name))
    machine().queue_declare(channel_, feeding, q.name, true, false, false, false, {});
  else
    machine().queue_declare(channel_, feeding, q.name, false, q.durable, false, q.auto_delete,
                            q.arguments);
  machine().queue_bind(channel_, 0, q.name, to.to.name, to.routing_key);
}

void publisher::on_request_ok(amqp091::channel_id ch, amqp091::request_id request,
                              std::string_view name, std::uint32_t messages,
                              std::uint32_t consumers) {
  if (ch != channel_ || request != feeding) return;
  if (const auto text = readers_.answered(name, messages, consumers, clock::now()))
    log()(log_level::warning, "[publish] " + *text + " Start a listener, or see options " +
                                  "cpp_notification_ttl, _max_length and _queues.");
}

void publisher::open_channel() {
  declared_.clear();
  unconfirmed_.clear();
  unconfirmed_count_ = awaited_count_ = 0;
  first_sequence_ = 1;
  channel_ = machine().open_channel();
  machine().confirm_select(channel_, 0);
}

void publisher::link_up() {
  blocked_ = false;
  properties_.content_type = "application/json";
  properties_.content_encoding = "utf-8";
  properties_.headers = amqp091::field_table{};
  properties_.delivery_mode = persistent;
  properties_.priority = std::uint8_t{0};
  timed_properties_ = properties_;
  aging_properties_ = properties_;
  open_channel();
  pump();
}

/// Back to the front of the queue, oldest first.
void publisher::requeue_unconfirmed() {
  for (auto it = unconfirmed_.rbegin(); it != unconfirmed_.rend(); ++it) {
    if (!*it || (*it)->at != publication::stage::written) continue;
    (*it)->at = publication::stage::waiting;
    waiting_.push_front(*it);
  }
  unconfirmed_.clear();
  unconfirmed_count_ = awaited_count_ = 0;
}

void publisher::link_down(const failure& why, bool was_open) {
  channel_ = 0;
  blocked_ = false;
  requeue_unconfirmed();
  const bool verdict = net::is_verdict(why.code());
  auto pending = std::exchange(waiting_, {});
  for (auto& p : pending) {
    if (p->at == publication::stage::abandoned) continue;
    if (verdict) {
      settle(*p, why);
    } else {
      if (!was_open) ++p->failed_attempts;
      if (p->retry >= 0 && p->failed_attempts > p->retry)
        give_up(*p, failure(errc::unreachable,
                            "Unable to connect to AMQP server on " + broker_name() + " after " +
                                std::to_string(p->failed_attempts) + " tries: " + why.message()));
      else
        waiting_.push_back(std::move(p));
    }
  }
  check_idle();
}

/// What exists with other properties can still be published to, without a declaration. True when
/// that is news. What is gone is declared again.
bool publisher::adopt(const std::deque<publication_ptr>& pending,
                      const amqp091::close_reason& why) {
  bool news = false;
  const auto look_at = [&](const std::string& name) {
    if (!names(why, name)) return;
    if (why.code == precondition_failed) news |= foreign_.insert(name).second;
    if (why.code == not_found) foreign_.erase(name);
  };
  for (const auto& p : pending) {
    look_at(p->to.to.name);
    if (p->to.ensure_queue) look_at(p->to.ensure_queue->name);
  }
  return news;
}

void publisher::on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) {
  if (ch != channel_) return;
  channel_ = 0;
  const auto reason = explained(net::to_failure(why, broker_name()));
  requeue_unconfirmed();
  auto pending = std::exchange(waiting_, {});
  const auto is_named = [&](const publication_ptr& p) {
    return names(why, p->to.to.name) ||
           (p->to.ensure_queue && names(why, p->to.ensure_queue->name));
  };
  const bool any_named = std::any_of(pending.begin(), pending.end(), is_named);
  const bool adopted = adopt(pending, why);
  if (adopted)
    log()(log_level::error, "[publish] " + reason.message() + " Until then it is used as it is.");
  else
    log()(log_level::warning, "[publish] " + reason.message());
  for (auto& p : pending) {
    if (p->at == publication::stage::abandoned) continue;
    const bool guilty = any_named ? is_named(p) : p->ever_written;
    if (guilty && (reason.code() == errc::access_refused ||
                   (!adopted && ++p->channel_losses >= max_channel_losses)))
      settle(*p, reason);
    else
      waiting_.push_back(std::move(p));
  }
  if (is_open()) {
    open_channel();
    pump();
  }
  check_idle();
}

void publisher::on_return(const amqp091::returned_message& m, std::uint64_t sequence) {
  const auto index = sequence - first_sequence_;
  if (sequence < first_sequence_ || index >= unconfirmed_.size() || !unconfirmed_[index]) return;
  unconfirmed_[index]->returned = true;
  unconfirmed_[index]->return_code = m.code;
}

void publisher::on_confirm(amqp091::channel_id ch, std::uint64_t sequence, bool ack) {
  const auto index = sequence - first_sequence_;
  if (ch != channel_ || sequence < first_sequence_ || index >= unconfirmed_.size() ||
      !unconfirmed_[index])
    return;
  const auto p = std::move(unconfirmed_[index]);
  unconfirmed_[index] = nullptr;
  --unconfirmed_count_;
  if (p->awaited) --awaited_count_;
  while (!unconfirmed_.empty() && !unconfirmed_.front()) {
    unconfirmed_.pop_front();
    ++first_sequence_;
  }
  if (p->at == publication::stage::abandoned) return;
  if (p->returned)
    settle(*p, failure(errc::undeliverable, "No queue is bound for " + p->to.text() + " on " +
                                                broker_name() + " (" +
                                                std::to_string(p->return_code) + ")."));
  else if (!ack)
    settle(*p, failure(errc::rejected,
                       broker_name() + " refused the message for " + p->to.text() + "."));
  else
    settle(*p, {});
}

void publisher::input_done() {
  if (!waiting_.empty()) pump();
  if (unconfirmed_count_ == 0) read_with(patience::none);  // so that heartbeats are seen
  check_idle();
}

void publisher::on_blocked(std::string_view reason) {
  blocked_ = true;
  blocked_reason_ = reason;
  log()(log_level::error, "The broker " + broker_name() +
                              " has blocked the connection: " + std::string(reason) + ". " +
                              std::to_string(pending()) + " messages wait.");
  changed();
}

void publisher::on_unblocked() {
  blocked_ = false;
  log()(log_level::info, "The broker " + broker_name() + " has unblocked the connection.");
  changed();
  pump();
}

void publisher::fail_all(const failure& why) {
  first_sequence_ += unconfirmed_.size();  // confirms that are still to come mean nobody
  requeue_unconfirmed();
  auto pending = std::exchange(waiting_, {});
  for (auto& p : pending) give_up(*p, why);
  check_idle();
}

void publisher::when_idle(unique_function<void()> done) {
  idle_done_ = std::move(done);
  read_with(patience::none);
  check_idle();
}

void publisher::forget_abandoned() {
  std::erase_if(waiting_, [](const auto& p) { return p->at == publication::stage::abandoned; });
}

void publisher::check_idle() {
  if (!idle_done_) return;
  forget_abandoned();
  if (idle()) std::exchange(idle_done_, nullptr)();
}

}  // namespace oslo::messaging::rabbit
