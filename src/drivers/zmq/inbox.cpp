#include "drivers/zmq/inbox.hpp"

#include <algorithm>
#include <utility>

#include "core/saturating.hpp"
#include "core/tasks/guarded.hpp"
#include "core/unique_id.hpp"
#include "drivers/zmq/message.hpp"
#include "drivers/zmq/server_port.hpp"

namespace oslo::messaging::zmq {
namespace {

std::string key_of(const std::string& client, std::string_view id) {
  std::string key = client;
  key += ' ';
  key += id;
  return key;
}

}  // namespace

inbox::inbox(context_ptr c, std::shared_ptr<server_port> port,
             std::vector<subscription> subscriptions, std::size_t prefetch)
    : context_(std::move(c)),
      port_(std::move(port)),
      subscriptions_(std::move(subscriptions)),
      prefetch_(prefetch == 0 ? default_prefetch : std::min(prefetch, most_unlimited)),
      settled_(random_bits()) {}

// ---- arriving -----------------------------------------------------------------------------------

std::size_t inbox::room() const noexcept {
  if (stopped_ || (bytes_ >= most_bytes && !queue_.empty())) return 0;
  const std::size_t most = prefetch_ + (pull_ ? std::min(asked_, most_unlimited) : 0);
  return most > queue_.size() ? most - queue_.size() : 0;
}

/// False: it is refused, and the client knows or will know.
bool inbox::turn_allows(client_turn& t, const std::string& client, const own_message& m,
                        const request_head& h) {
  if (h.turn < t.refused_below) return false;  // it has been told
  const auto want_room = [&] {
    if (!std::exchange(t.waiting, true)) waiting_.emplace_back(client, h.subscription);
  };
  if (room() == 0) {
    t.refused_below = h.turn + 1;
    t.credit = 0;
    want_room();
    port_->tell(client, verb::busy, m.id, write_turn({h.subscription, h.turn, 0}));
    return false;
  }
  if (t.credit > 0 && --t.credit == 0) {
    t.refused_below = h.turn + 1;
    want_room();
  }
  return true;
}

void inbox::take(const std::string& client, const own_message& m, const request_head& h) {
  if (h.again) {
    if (known_.contains(key_of(client, m.id))) {
      if (h.tell_taken) port_->tell(client, verb::taken, m.id);
      return;
    }
    if (settled_.contains(m.id, 0, loop().now())) return port_->settle(client, std::string(m.id));
  }
  auto& turn = turns_[{client, h.subscription}];
  if (!turn_allows(turn, client, m, h)) return grant();
  auto request = wire::read_request(m.body);
  if (!request) {
    context_->log(log_level::error,
                  "A message over zmq:// was dropped: " + request.error().message());
    port_->settle(client, std::string(m.id));
    return grant();
  }
  auto a = std::make_shared<arrived>();
  a->subscription = h.subscription;
  a->client = client;
  a->id = m.id;
  a->wants_reply = !request->msg_id.empty() && !request->reply_q.empty();
  a->again = h.again;
  a->requeues = h.requeues;
  if (h.left) a->deadline = deadline_after(loop().now(), *h.left);
  a->headers = h.headers;
  a->bytes = m.body.size();
  a->content = *std::move(request);
  known_.emplace(key_of(client, m.id), a);
  if (h.tell_taken) port_->tell(client, verb::taken, m.id);
  push(std::move(a));
  grant();
}

void inbox::take_old(std::string_view identity, const old_message& m) {
  auto request = read_old_request(m.body);
  if (!request) {
    context_->log(log_level::error,
                  "A message over zmq:// was dropped: " + request.error().message());
    return;
  }
  if (stopped_ || queue_.size() >= most_unlimited) {
    context_->log(log_level::error,
                  "A message of a Python peer over zmq:// was dropped: the listener has " +
                      std::string(stopped_ ? "stopped." : "no room."));
    return;
  }
  auto a = std::make_shared<arrived>();
  a->subscription = subscriptions_.front().id;
  a->client = identity;
  a->id = m.id;
  a->old = true;
  a->wants_reply = m.type == old_type::call;
  a->bytes = m.body.size();
  a->content = *std::move(request);
  push(std::move(a));
}

void inbox::push(arrived_ptr a) {
  bytes_ += a->bytes;
  queue_.push_back(std::move(a));
  serve();
}

void inbox::forget_waiting(const std::string& client) {
  std::erase_if(queue_, [&](const arrived_ptr& a) {
    if (a->old || a->client != client) return false;
    bytes_ -= a->bytes;
    known_.erase(key_of(a->client, a->id));
    return true;
  });
  std::erase_if(turns_, [&](const auto& t) { return t.first.first == client; });
  std::erase_if(waiting_, [&](const auto& w) { return w.first == client; });
}

void inbox::client_left(const std::string& client) {
  std::erase_if(turns_, [&](const auto& t) { return t.first.first == client; });
  std::erase_if(waiting_, [&](const auto& w) { return w.first == client; });
}

/// Lets those that wait go on, as far as there is room.
void inbox::grant() {
  std::size_t free = room();
  while (free > 0 && !waiting_.empty()) {
    const auto who = std::move(waiting_.front());
    waiting_.pop_front();
    const auto found = turns_.find(who);
    if (found == turns_.end()) continue;
    auto& t = found->second;
    t.waiting = false;
    const bool plenty = waiting_.empty() && 2 * free >= prefetch_ && free > 16;
    const std::size_t share = std::max<std::size_t>(1, free / (waiting_.size() + 1));
    t.credit = plenty ? 0 : static_cast<std::uint32_t>(share);
    free -= plenty ? free : share;
    port_->tell(who.first, verb::room, {}, write_turn({who.second, t.refused_below, t.credit}));
  }
}

// ---- handing out --------------------------------------------------------------------------------

void inbox::next(std::size_t max, unique_function<void(incoming_batch)> done) {
  asked_ = max;
  pull_ = std::move(done);
  grant();
  serve();
}

void inbox::serve() {
  if (!pull_ || (queue_.empty() && !stopped_) || std::exchange(serving_posted_, true)) return;
  loop().post([self = shared_from_this()] {
    self->serving_posted_ = false;
    if (!self->pull_ || (self->queue_.empty() && !self->stopped_)) return;
    incoming_batch batch;
    while (!self->queue_.empty() && batch.size() < self->asked_) {
      auto a = std::move(self->queue_.front());
      self->queue_.pop_front();
      self->bytes_ -= a->bytes;
      ++self->handed_out_;
      batch.push_back(std::make_unique<zmq_message>(self, std::move(a)));
    }
    auto done = std::move(self->pull_);
    self->pull_ = nullptr;
    done(std::move(batch));
    self->grant();
  });
}

void inbox::acknowledge(const arrived_ptr& a) {
  if (a->old || known_.erase(key_of(a->client, a->id)) == 0) return;
  settled_.seen(a->id, 0, loop().now());
  port_->settle(a->client, a->id);
}

void inbox::give_back(const arrived_ptr& a, bool counts) {
  a->requeues += counts ? 1 : 0;
  a->again = true;
  if (!stopped_) {
    bytes_ += a->bytes;
    queue_.push_front(a);
    return serve();
  }
  return_to_client(a);
}

void inbox::return_to_client(const arrived_ptr& a) {
  if (a->old) {
    context_->log(log_level::error,
                  "A message of a Python peer over zmq:// is lost: it was given back, and the "
                  "listener has stopped.");
    return;
  }
  known_.erase(key_of(a->client, a->id));
  port_->tell(a->client, verb::returned, a->id,
              write_returned({a->subscription, a->requeues, a->again}));
}

void inbox::handed_back() noexcept {
  --handed_out_;
  look_whether_gone();
}

// ---- its life -----------------------------------------------------------------------------------

void inbox::set_verdict(result<void> r) {
  if (verdict_) return;
  verdict_ = std::move(r);
  for (auto& done : std::exchange(ready_, {})) call_guarded(loop(), done, *verdict_);
}

void inbox::ready(unique_function<void(result<void>)> done) {
  loop().post([self = shared_from_this(), done = std::move(done)]() mutable {
    if (self->verdict_) return done(*self->verdict_);
    self->ready_.push_back(std::move(done));
  });
}

void inbox::stop() {
  if (std::exchange(stopped_, true)) return;
  for (const auto& a : std::exchange(queue_, {})) {
    bytes_ -= a->bytes;
    return_to_client(a);  // nobody has begun with it
  }
  port_->listener_stopped(*this);
  turns_.clear();
  waiting_.clear();
  set_verdict(failure(errc::closed, "The listener was stopped."));
  serve();
  look_whether_gone();
}

void inbox::when_gone(unique_function<void()> done) {
  on_gone_.push_back(std::move(done));
  look_whether_gone();
}

void inbox::look_whether_gone() {
  if (!stopped_ || handed_out_ != 0) return;
  if (!std::exchange(gone_, true)) port_->listener_gone(*this);
  for (auto& done : std::exchange(on_gone_, {})) loop().post(std::move(done));
}

// ---- the handle ---------------------------------------------------------------------------------

namespace {

class handle final : public listener {
 public:
  explicit handle(std::shared_ptr<inbox> of) : inbox_(std::move(of)) {}
  ~handle() override {
    inbox_->loop().dispatch([i = inbox_] { i->stop(); });
  }
  void next(std::size_t max, unique_function<void(incoming_batch)> done) override {
    inbox_->next(max, std::move(done));
  }
  void stop() override { inbox_->stop(); }
  void ready(unique_function<void(result<void>)> done) override { inbox_->ready(std::move(done)); }
  void when_gone(unique_function<void()> done) override { inbox_->when_gone(std::move(done)); }

 private:
  const std::shared_ptr<inbox> inbox_;
};

}  // namespace

std::shared_ptr<listener> make_handle(std::shared_ptr<inbox> of) {
  return std::make_shared<handle>(std::move(of));
}

}  // namespace oslo::messaging::zmq
