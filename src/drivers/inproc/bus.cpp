#include "drivers/inproc/bus.hpp"

#include <algorithm>
#include <oslo/messaging/json.hpp>
#include <utility>

#include "core/send_stage.hpp"
#include "core/unique_id.hpp"
#include "drivers/inproc/names.hpp"
#include "wire/request.hpp"

namespace oslo::messaging::inproc {

content::content(std::string&& body, context&& ctxt)
    : body_(std::move(body)), ctxt_(std::move(ctxt)) {
  json_reader in(body_);
  in.begin_object();
  std::string scratch;
  std::string_view key;
  std::vector<message_field> context_fields;
  while (in.next_key(key, scratch)) {
    if (key.data() == scratch.data()) key = decoded_keys_.emplace_front(std::move(scratch));
    const std::string_view json = in.skip_value();
    if (key.starts_with(wire::context_prefix)) {
      context_fields.push_back({key.substr(wire::context_prefix.size()), json});
      continue;
    }
    const auto same = std::find_if(fields_.begin(), fields_.end(),
                                   [&](const message_field& f) { return f.key == key; });
    if (same != fields_.end())
      same->json = json;
    else
      fields_.push_back({key, json});
  }
  in.finish();
  if (!context_fields.empty())
    merged_ = std::make_unique<const context>(wire::merged(context_fields, ctxt_));
}

std::string_view content::text() const noexcept {
  std::call_once(text_asked_for_, [this] { write_text(); });
  return text_;
}

void content::write_text() const {
  const unique_digits unique_id;
  wire::request_keys keys{.timeout = monitor, .unique_id = unique_id};
  std::string reply_q = "reply_";
  if (reply_to) {
    keys.msg_id = reply_to->id.view();
    reply_q += keys.msg_id.substr(0, protocol::call_id::digits_of_tracker);
    keys.reply_q = reply_q;
  }
  try {
    wire::write_inner(text_, body_, ctxt_, keys);
  } catch (const messaging_error&) {
    text_.clear();
  }
}

std::shared_ptr<bus> bus::shared() {
  static std::mutex mutex;
  static std::weak_ptr<bus> current;
  const std::lock_guard lock(mutex);
  auto found = current.lock();
  if (!found) current = found = std::make_shared<bus>();
  return found;
}

auto bus::known_topic(std::string_view exchange, std::string_view name) -> topic* {
  key_.assign(exchange);
  key_ += '\0';
  key_ += name;
  const auto found = topics_.find(std::string_view(key_));
  return found != topics_.end() ? &found->second : nullptr;
}

auto bus::find_topic(std::string_view exchange, std::string_view name) -> topic& {
  auto* const known = known_topic(exchange, name);
  return known != nullptr ? *known : topics_[key_];
}

bool bus::full(const queue& q, const content& what) const noexcept {
  return q.waiting.size() >= limits_.messages || q.bytes + what.bytes() > limits_.bytes;
}

void bus::push_back(queue& q, waiting_message m) {
  q.bytes += m.what->bytes();
  q.waiting.push_back(std::move(m));
}

waiting_message bus::pop_front(queue& q) {
  auto m = std::move(q.waiting.front());
  q.waiting.pop_front();
  q.bytes -= m.what->bytes();
  return m;
}

void bus::choose(queue& q, wake_list& to_wake) {
  const std::size_t count = q.consumers.size();
  for (std::size_t i = 0; i < count; ++i) {
    auto& candidate = q.consumers[(q.turn + i) % count];
    if (!candidate->idle_) continue;
    candidate->idle_ = false;
    q.turn = (q.turn + i + 1) % count;
    to_wake.push_back(candidate);
    return;
  }
}

void bus::wake(const wake_list& chosen) {
  for (const auto& s : chosen) s->loop_->post([s] { s->serve(); });
}

namespace {

/// With the routing key that RabbitMQ would see.
failure undeliverable(const bus::destination& to, const content& what, std::string text) {
  std::string key(to.topic);
  if (to.server) key.append(".").append(*to.server);
  failure_detail detail;
  detail.stage = to_string(send_stage::returned);
  detail.destination = std::string(to.exchange) + "/" + key;
  if (what.reply_to) detail.message_id = what.reply_to->id.str();
  return failure(errc::undeliverable, std::move(text), std::move(detail))
      .about({.exchange = std::string(to.exchange), .routing_key = std::move(key)});
}

}  // namespace

result<void> bus::deliver(const destination& to, std::shared_ptr<const content> what,
                          bool at_least_once) {
  wake_list to_wake;
  {
    const std::lock_guard lock(mutex_);
    topic* known = known_topic(to.exchange, to.topic);
    // What is known is good, and its fanout may still have too long a name.
    if (known == nullptr || to.fanout)
      if (auto fits = check_names(to.exchange, to.topic, to.server, to.fanout); !fits) return fits;
    topic& t = known != nullptr ? *known : topics_[key_];
    boost::container::small_vector<queue*, 4> receivers;
    if (to.fanout) {
      for (const auto& f : t.fanouts)
        if (const auto q = f.lock(); q && !q->consumers.empty()) receivers.push_back(q.get());
    } else if (to.server) {
      auto found = t.servers.find(*to.server);
      if (found == t.servers.end()) {
        if (auto fits = check_names(to.exchange, to.topic, to.server, false); !fits) return fits;
        if (at_least_once) return undeliverable(to, *what, "No server of that name listens.");
        found = t.servers.emplace(*to.server, std::make_shared<queue>()).first;
      }
      receivers.push_back(found->second.get());
    } else {
      receivers.push_back(t.common.get());
      for (auto& [name, q] : t.pools) receivers.push_back(q.get());
    }
    if (at_least_once && !to.fanout &&
        std::none_of(receivers.begin(), receivers.end(), [](auto* q) { return q->declared; }))
      return undeliverable(to, *what,
                           "Nobody has ever listened on topic " + std::string(to.topic) + ".");
    // Where pools do all the listening, nobody will ever empty the default queue: it then keeps the
    // newest messages, for pools to come.
    if (!t.pools.empty() && t.common->consumers.empty() && !to.server)
      while (!t.common->waiting.empty() && full(*t.common, *what)) pop_front(*t.common);
    for (auto* q : receivers)
      if (full(*q, *what))
        return failure(errc::limit_exceeded, "A queue of topic " + std::string(to.topic) +
                                                 " is full: " + std::to_string(q->waiting.size()) +
                                                 " messages of together " +
                                                 std::to_string(q->bytes) + " bytes wait in it.");
    for (auto* q : receivers) {
      push_back(*q, {what});
      choose(*q, to_wake);
    }
  }
  wake(to_wake);
  return {};
}

std::vector<std::shared_ptr<queue>> bus::declare_server(std::string_view exchange,
                                                        std::string_view topic_name,
                                                        std::string_view server) {
  const std::lock_guard lock(mutex_);
  topic& t = find_topic(exchange, topic_name);
  auto found = t.servers.find(server);
  if (found == t.servers.end()) found = t.servers.emplace(server, std::make_shared<queue>()).first;
  found->second->declared = true;
  t.common->declared = true;
  std::erase_if(t.fanouts, [](const auto& f) { return f.expired(); });
  const auto fanout = std::make_shared<queue>();
  t.fanouts.push_back(fanout);
  return {found->second, fanout, t.common};
}

std::shared_ptr<queue> bus::declare_listener(std::string_view exchange, std::string_view topic_name,
                                             const std::optional<std::string>& pool) {
  const std::lock_guard lock(mutex_);
  topic& t = find_topic(exchange, topic_name);
  if (!pool) {
    t.common->declared = true;
    return t.common;
  }
  const auto [at, added] = t.pools.try_emplace(*pool);
  if (added) {
    at->second = std::make_shared<queue>();
    at->second->declared = true;
    at->second->waiting = t.common->waiting;
    at->second->bytes = t.common->bytes;
  }
  return at->second;
}

void bus::attach(const std::shared_ptr<queue_reader>& consumer) {
  const std::lock_guard lock(mutex_);
  for (const auto& q : consumer->queues_) q->consumers.push_back(consumer);
}

void bus::detach(const std::shared_ptr<queue_reader>& consumer) {
  wake_list to_wake;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& q : consumer->queues_) {
      std::erase(q->consumers, consumer);
      q->turn = 0;
      // It may have been woken for a message that it will not take any more.
      if (!q->waiting.empty()) choose(*q, to_wake);
    }
  }
  wake(to_wake);
}

void bus::requeue(queue& q, waiting_message m) {
  wake_list to_wake;
  {
    const std::lock_guard lock(mutex_);
    m.redelivered = true;
    q.bytes += m.what->bytes();
    q.waiting.push_front(std::move(m));
    choose(q, to_wake);
  }
  wake(to_wake);
}

bool queue_reader::anything_waiting() const noexcept {
  return std::any_of(queues_.begin(), queues_.end(), [](auto& q) { return !q->waiting.empty(); });
}

void queue_reader::next(std::size_t max, unique_function<void(batch)> done) {
  bool at_once = false;
  {
    const std::lock_guard lock(bus_->mutex_);
    max_ = max;
    done_ = std::move(done);
    at_once = stopped_ || anything_waiting();
    idle_ = !at_once;
  }
  if (at_once) loop_->post([self = shared_from_this()] { self->serve(); });
}

void queue_reader::take(batch& out) {
  for (const auto& q : queues_) {
    // Servers that share a queue share its messages too, however large the batches they ask for.
    const std::size_t share = (q->waiting.size() + q->consumers.size() - 1) /
                              std::max<std::size_t>(q->consumers.size(), 1);
    for (std::size_t i = 0; i < share && out.size() < max_; ++i)
      out.push_back({bus::pop_front(*q), q});
  }
}

void queue_reader::serve() {
  unique_function<void(batch)> done;
  batch messages;
  {
    const std::lock_guard lock(bus_->mutex_);
    if (!done_) return;
    if (!stopped_) {
      take(messages);
      if (messages.empty()) {
        idle_ = true;
        return;
      }
    }
    done = std::move(done_);
    idle_ = false;
  }
  done(std::move(messages));
}

void queue_reader::stop() {
  {
    const std::lock_guard lock(bus_->mutex_);
    if (stopped_) return;
    stopped_ = true;
    idle_ = false;
  }
  bus_->detach(shared_from_this());
  loop_->post([self = shared_from_this()] { self->serve(); });
}

}  // namespace oslo::messaging::inproc
