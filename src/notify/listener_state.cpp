#include "notify/listener_state.hpp"

#include <algorithm>
#include <iterator>
#include <oslo/messaging/detail/current_failure.hpp>
#include <string>

#include "core/features.hpp"
#include "core/saturating.hpp"

namespace oslo::messaging::notify::detail {
namespace {

constexpr std::size_t largest_batch = 10'000;
/// How long a dead letter may wait for the bus before its message is given back.
constexpr std::chrono::seconds dead_letter_limit{30};
constexpr std::chrono::seconds pause_after_refusal{1};
/// What drivers hold ready by themselves.
constexpr std::size_t usual_prefetch = 256;
constexpr std::size_t most_prefetched = 10'000;

std::vector<target> checked(std::vector<target> targets) {
  if (targets.empty())
    throw invalid_target({errc::invalid_target, "A notification listener needs a target."});
  for (const auto& t : targets)
    if (!t.topic || t.topic->empty())
      throw invalid_target({errc::invalid_target,
                            "A listener's target must have a topic specified:" + to_string(t)});
  return targets;
}

listener_options checked(listener_options o, const std::vector<target>& targets,
                         const transport& bus) {
  if (o.batch && (o.batch->size < 1 || o.batch->size > largest_batch))
    throw configuration_error({errc::invalid_argument,
                               "The size of a batch must be 1 to " + std::to_string(largest_batch) +
                                   ", not " + std::to_string(o.batch->size) + "."});
  if (o.batch && o.batch->timeout && o.batch->timeout->count() < 1)
    throw configuration_error(
        {errc::invalid_argument, "The timeout of a batch must be at least 1 ms, not " +
                                     std::to_string(o.batch->timeout->count()) + " ms."});
  require(bus, feature::notifications);
  if (o.allow_requeue) require(bus, feature::requeue);
  if (o.pool) require(bus, feature::pools);
  if (o.dead_letters) {
    const auto& to = o.dead_letters->to;
    if (!o.allow_requeue)
      throw configuration_error({errc::invalid_argument,
                                 "Dead letters need allow_requeue: without it nothing is given "
                                 "back, and nothing can come too often."});
    if (o.dead_letters->after == 0)
      throw configuration_error(
          {errc::invalid_argument, "Dead letters need a number of deliveries of at least 1."});
    if (!to.topic || to.topic->empty())
      throw invalid_target(
          {errc::invalid_target, "The target of dead letters must have a topic:" + to_string(to)});
    // Whatever the exchange: RabbitMQ's queues are named after topic and priority alone.
    for (const auto& t : targets)
      if (t.topic == to.topic)
        throw configuration_error(
            {errc::invalid_argument, "A listener cannot send its dead letters to its own topic " +
                                         *to.topic + ", in whatever exchange."});
  }
  // What is in work, and as much on its way.
  const std::size_t in_work = o.batch ? o.batch->size : std::min(o.max_running, most_prefetched);
  if (o.prefetch == 0 && 2 * in_work > usual_prefetch) o.prefetch = 2 * in_work;
  return o;
}

}  // namespace

listener_state::listener_state(transport b, std::vector<target> where,
                               std::vector<std::shared_ptr<endpoint>> endpoints, listener_options o)
    : serving(b, "listener", "notification", o),
      targets(checked(std::move(where))),
      options(checked(std::move(o), targets, bus)),
      table_(std::move(endpoints), options.serializer, bus.log(), options.batch.has_value()) {
  if (table_.priorities().empty())
    throw configuration_error(
        {errc::invalid_argument, std::string("No endpoint has a handler of ") +
                                     (options.batch ? "batches." : "single notifications.")});
}

std::shared_ptr<messaging::listener> listener_state::subscribe() {
  std::vector<notification_topic> topics;
  for (const auto& t : targets)
    for (const priority p : table_.priorities()) topics.push_back({t, std::string(to_string(p))});
  return bus.driver().listen_for_notifications(std::move(topics), options.pool, {options.prefetch});
}

// ---- messages -----------------------------------------------------------------------------------

std::size_t listener_state::wanted() {
  // 0: the batch is full, and waits for the executor.
  return options.batch ? options.batch->size - collected_.size() : free_places();
}

void listener_state::room_again() {
  if (due_) {
    due_ = false;
    hand_out_batch();
  }
  pull();
}

void listener_state::take(incoming_batch arrived) {
  opened(arrived.size());
  for (auto& m : arrived) m->acknowledge_later();
  if (options.batch) return collect(std::move(arrived));
  for (auto& m : arrived) {
    incoming_batch one;
    one.push_back(std::move(m));
    submit(std::move(one));
  }
}

void listener_state::collect(incoming_batch arrived) {
  std::move(arrived.begin(), arrived.end(), std::back_inserter(collected_));
  if (collected_.size() >= options.batch->size) return hand_out_batch();
  if (batch_timer_ != scheduler::timer_id::none || due_) return;
  const auto when = end_of_batch();
  if (!when) return;
  batch_timer_ = bus.loop().run_at(*when, [weak = std::weak_ptr(self())] {
    const auto self = weak.lock();
    if (!self) return;
    self->batch_timer_ = scheduler::timer_id::none;
    self->hand_out_batch();
  });
}

/// When the batch, which has just got its first message, is to be handed out.
std::optional<scheduler::time_point> listener_state::end_of_batch() {
  const auto& o = *options.batch;
  if (!o.timeout) return std::nullopt;
  const auto now = bus.loop().now();
  if (o.counts_from == batch_clock::first_message) return deadline_after(now, *o.timeout);
  // Windows without a message have passed one after the other since the last batch.
  const auto first = deadline_after(window_start_, *o.timeout);
  if (!first || *first > now) return first;
  const scheduler::clock::duration length = *o.timeout;
  return now + (length - (now - *first) % length);
}

void listener_state::hand_out_batch() {
  if (collected_.empty()) return;
  bus.loop().cancel(std::exchange(batch_timer_, scheduler::timer_id::none));
  due_ = free_places() == 0;
  if (due_) return;
  window_start_ = bus.loop().now();
  submit(std::exchange(collected_, {}));
}

void listener_state::submit(incoming_batch work) {
  enter();
  auto d = std::make_shared<handling>(self(), table_, std::move(work));
  try {
    execute([d = std::move(d)] { d->begin(); });
  } catch (...) {
    bus.log()(log_level::error,
              "The executor refused a notification: " +
                  messaging::detail::current_failure(errc::handler_failed, {}).message());
  }
}

void listener_state::run(boost::asio::awaitable<outcome> handler,
                         unique_function<void(std::exception_ptr, outcome)> done) {
  spawn(std::move(handler), std::move(done));
}

void listener_state::resume(unique_function<void()> work) {
  if (runs_inline())
    bus.loop().post(std::move(work));
  else
    execute(std::move(work));
}

void listener_state::done(incoming_batch work, std::vector<handling_result> results) noexcept {
  const auto messages = work.size();
  std::shared_ptr<void> open_work;  // made for dead letters only, which are settled later
  for (std::size_t i = 0; i < results.size(); ++i) {
    const auto failures = is_hopeless(*work[i], results[i]);
    if (!failures) {
      settle(*work[i], results[i]);
      continue;
    }
    if (!open_work)
      open_work = std::shared_ptr<void>(
          this, [self = self(), messages](void*) { self->finished(messages); });
    bury(std::move(work[i]), results[i], *failures, open_work);
  }
  work.clear();  // without results this gives them back
  if (!open_work) finished(messages);
}

std::optional<std::size_t> listener_state::is_hopeless(const incoming_message& m,
                                                       const handling_result& v) {
  if (!options.dead_letters) return std::nullopt;
  if (v.what == outcome::handled) {
    requeues_.forget(m);
    return std::nullopt;
  }
  const auto counted = m.requeues();
  const std::size_t failures = counted ? *counted + 1 : requeues_.add(m);
  return failures >= options.dead_letters->after ? std::optional(failures) : std::nullopt;
}

void listener_state::bury(std::shared_ptr<incoming_message> m, const handling_result& v,
                          std::size_t failures, std::shared_ptr<void> open_work) noexcept {
  // Only a message whose priority is known gets to a handler that can fail.
  const auto p = parse_priority(text_of(*m, "priority").value_or("")).value_or(priority::info);
  target to = options.dead_letters->to;
  *to.topic += "." + std::string(to_string(p));
  const auto told = [self = self(), m, open_work = std::move(open_work), place = *to.topic,
                     error = v.error, failures](const result<reply>& r) {
    const auto id = text_of(*m, "message_id").value_or("without an id").substr(0, 100);
    const auto what = "Notification " + id + " has failed " + std::to_string(failures) + " times";
    if (r.has_error()) {
      self->bus.log()(log_level::error, what + ", but cannot be put among the dead letters: " +
                                            r.error().message() + " It is given back.");
      // Not at once: it may come again at once, and a broker that refuses it closes a channel.
      auto& loop = self->bus.loop();
      loop.run_at(loop.now() + pause_after_refusal, [m, open_work] { m->requeue(); });
      return;
    }
    m->acknowledge();
    self->requeues_.forget(*m);
    self->bus.log()(log_level::error,
                    what + " and is a dead letter now, in " + place + ". The last time: " + error);
    if (auto* const meter = self->bus.meter()) {
      const metric_label where{"topic", place};
      meter->add("notification_dead_letters_total", {&where, 1}, 1);
    }
  };
  try {
    send_options o;
    o.timeout = dead_letter_limit;
    o.keep = true;
    bus.driver().send_notification(std::move(to), dead_letter_of(*m, failures, v.error),
                                   notification_format::envelope, std::move(o), told);
  } catch (const messaging_error& e) {
    told(e.failure());
  } catch (const std::exception& e) {
    told(failure(errc::broker_error, e.what()));
  }
}

void listener_state::settle(incoming_message& m, const handling_result& v) noexcept {
  try {
    if (v.what == outcome::requeue && options.allow_requeue)
      m.requeue();
    else
      m.acknowledge();
  } catch (const std::exception& e) {
    bus.log()(log_level::error,
              std::string("A notification could not be acknowledged or requeued: ") + e.what());
  }
}

/// The last thing that a delivery does with us.
void listener_state::finished(std::size_t messages) {
  leave();
  settled(messages);
}

}  // namespace oslo::messaging::notify::detail
