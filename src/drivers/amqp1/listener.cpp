#include "drivers/amqp1/listener.hpp"

#include <algorithm>
#include <utility>

#include "core/unique_id.hpp"
#include "drivers/amqp1/bodies.hpp"
#include "drivers/amqp1/message.hpp"

namespace oslo::messaging::amqp1 {
namespace {

/// After so many refusals of a node that does not exist a start is told.
constexpr int missing_told = 3;

[[noreturn]] void unreadable(std::string why) {
  throw_failure({errc::malformed_message, std::move(why)});
}

/// Of an id that is no text.
std::string in_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

}  // namespace

amqp1_listener::amqp1_listener(std::shared_ptr<engine> e, std::vector<destination> from,
                               std::uint32_t credit)
    : engine_(std::move(e)), credit_(credit), seen_(random_bits()) {
  for (auto& d : from) sources_.push_back({std::move(d)});
}

std::shared_ptr<listener> amqp1_listener::handle() {
  return {static_cast<listener*>(this), [self = shared_from_this()](listener*) {
            self->engine_->loop().dispatch([self] { self->stop(); });
          }};
}

// ---- links --------------------------------------------------------------------------------------

amqp1_listener::source* amqp1_listener::on(link_id l) noexcept {
  const auto it = std::ranges::find(sources_, l, &source::link);
  return it == sources_.end() ? nullptr : &*it;
}

void amqp1_listener::attach(source& s) {
  s.link = engine_->link().machine().open_receiver(engine_->address_of(s.from), credit_);
  s.open = false;
  s.debt = 0;
  engine_->link().flush_later();
}

void amqp1_listener::link_up() {
  if (stopped_) return;
  for (auto& s : sources_) attach(s);
}

bool amqp1_listener::on_link_open(link_id l) {
  auto* const s = on(l);
  if (s == nullptr) return false;
  s->open = true;
  s->missing = 0;
  if (is_ready()) became_ready();
  return true;
}

bool amqp1_listener::is_ready() const noexcept {
  return std::ranges::all_of(sources_, &source::open);
}

void amqp1_listener::became_ready() {
  refused_.reset();
  set_consuming(true);
  answer_ready({});
}

bool amqp1_listener::on_link_closed(link_id l, const condition& why) {
  auto* const s = on(l);
  if (s == nullptr) return false;
  const bool was_open = std::exchange(s->open, false);
  s->link = 0;
  set_consuming(false);
  if (stopped_) {
    gone_if_closed();
    return true;
  }
  const auto address = engine_->address_of(s->from);
  const auto told = to_failure(
      why, "The subscription to " + address + (was_open ? " was ended" : " was refused"));
  auto pause = std::chrono::duration_cast<instant::duration>(publisher::again_after);
  if (why.is("amqp:not-found")) {
    // Some brokers make a node for who sends to it and for nobody else.
    engine_->publisher().make_node(s->from);
    if (++s->missing >= missing_told) refused_ = told;
  } else if (why.is_redirect() || told.code() == errc::access_refused ||
             told.code() == errc::precondition_failed) {
    refused_ = told;
    pause = engine::after_refusal;
  }
  if (refused_) answer_ready(*refused_);
  engine_->link().log()(was_open || refused_ ? log_level::warning : log_level::debug,
                        "[amqp] " + told.message());
  s->reopen_at = engine_->link().now() + pause;
  engine_->wake_at(s->reopen_at);
  return true;
}

bool amqp1_listener::on_link_gone(link_id l) {
  auto* const s = on(l);
  if (s == nullptr) return false;
  s->link = 0;
  s->open = false;
  gone_if_closed();
  return true;
}

/// What waits here will be delivered again. What was handed out goes on: a second copy of it would
/// be recognised.
void amqp1_listener::link_down() {
  for (auto& m : arrived_) m->forget();
  arrived_.clear();
  out_.clear();
  for (auto& s : sources_) {
    s.link = 0;
    s.open = false;
  }
  set_consuming(false);
  if (stopped_) gone_if_closed();
}

void amqp1_listener::on_tick(instant now) {
  if (stopped_) {
    if (now >= farewell_until_) {
      for (auto& s : sources_) s.link = 0;
      gone_if_closed();
    }
    return;
  }
  if (const auto line = copies_.on_tick(now)) engine_->link().log()(log_level::warning, *line);
  if (!engine_->link().is_open()) return;
  for (auto& s : sources_)
    if (s.link == 0 && now >= s.reopen_at) attach(s);
}

amqp1_listener::instant amqp1_listener::next_deadline() const noexcept {
  if (gone_) return instant::max();
  if (stopped_) return farewell_until_;
  auto next = copies_.next_deadline();
  if (!engine_->link().is_open()) return next;
  for (const auto& s : sources_)
    if (s.link == 0) next = std::min(next, s.reopen_at);
  return next;
}

// ---- messages -----------------------------------------------------------------------------------

void amqp1_listener::next(std::size_t max, unique_function<void(incoming_batch)> done) {
  want_ = max;
  waiting_ = std::move(done);
  serve();
}

bool amqp1_listener::on_delivery(link_id l, delivery_id message, std::string_view bytes,
                                 bool settled) {
  auto* const s = on(l);
  if (s == nullptr) return false;
  const delivery_place where{engine_->connection_number(), l, settled ? 0 : message};
  if (stopped_) {
    settle_now(where, settlement::release);
    return true;
  }
  try {
    const auto m = read_message(bytes).value();
    if (m.kind != incoming_sections::body_kind::text) unreadable("its body is no text");
    incoming::content c;
    c.where = where;
    c.request = read_request(m.body).value();
    c.reply_to = m.reply_to;
    if (!c.reply_to.empty()) {
      c.message_id = m.message_id;
      c.message_id_text = m.message_id_text;
      if (c.message_id_text.empty()) c.message_id_text = in_hex(m.message_id);
    }
    c.mark = {std::string(m.message_id_text), std::hash<std::string_view>{}(m.body)};
    c.headers = m.headers;
    c.redelivered = m.delivery_count > 0;
    auto time = m.time;
    if (!time.limit_ms && m.ttl_ms) time.limit_ms = *m.ttl_ms;
    const auto now = engine_->loop().now();
    if (const auto left = clocks_.time_left(time, now)) c.deadline = now + *left;
    arrived_.push_back(std::make_unique<incoming>(shared_from_this(), std::move(c)));
  } catch (const std::exception& e) {
    engine_->link().log()(log_level::error, "A message from " + engine_->address_of(s->from) +
                                                " is dropped: " + e.what());
    engine_->count("server_malformed_messages_total");
    settle_now(where, settlement::reject);
  }
  return true;
}

/// Settles a second copy: with the first one when that is still being worked on, else at once.
/// Asked when a message is handed out, because two copies may arrive together.
bool amqp1_listener::is_copy(const incoming& m) {
  if (!in_work_.empty()) {
    if (const auto it = in_work_.find(m.mark()); it != in_work_.end()) {
      engine_->count("server_duplicates_total");
      it->second.push_back(m.where());
      return true;
    }
  }
  if (!seen_.seen(m.mark().id, m.mark().content, engine_->loop().now())) return false;
  if (const auto line = copies_.ignored(m.mark().id, engine_->loop().now()))
    engine_->link().log()(log_level::warning, *line);
  else
    engine_->wake_at(copies_.next_deadline());
  engine_->count("server_duplicates_total");
  settle_now(m.where(), settlement::accept);
  return true;
}

/// Hands out what has arrived. A pull that is answered may pull again from inside.
void amqp1_listener::serve() {
  if (serving_) return;
  serving_ = true;
  while (waiting_ && (stopped_ || !arrived_.empty())) {
    incoming_batch batch;
    while (!arrived_.empty() && batch.size() < want_) {
      auto m = std::move(arrived_.front());
      arrived_.pop_front();
      if (is_copy(*m)) {
        m->forget();
      } else {
        if (m->where().message != 0) out_.insert(m->where());
        batch.push_back(std::move(m));
      }
    }
    if (batch.empty() && !stopped_) continue;  // an empty one would mean the end
    handed_out_ += batch.size();
    std::exchange(waiting_, nullptr)(std::move(batch));
  }
  serving_ = false;
}

void amqp1_listener::give_credit(source& s, std::uint32_t messages) {
  s.debt += messages;
  if (stopped_ || 2 * s.debt < credit_) return;
  engine_->link().machine().add_credit(s.link, std::exchange(s.debt, 0));
  engine_->link().flush_later();
}

void amqp1_listener::settle_now(const delivery_place& where, settlement how) {
  if (where.connection != engine_->connection_number() || !engine_->link().is_open()) return;
  if (where.message != 0) {
    engine_->link().machine().settle(where.link, where.message, how);
    engine_->link().flush_later();
  }
  if (auto* const s = on(where.link)) give_credit(*s, 1);
}

void amqp1_listener::settle(const delivery_place& where, const message_mark& of, bool ack) {
  const auto how = ack ? settlement::accept : settlement::give_back;
  out_.erase(where);
  settle_now(where, how);
  if (!ack) seen_.forget(of.id, of.content);  // it comes again
  if (!in_work_.empty()) {
    if (const auto it = in_work_.find(of); it != in_work_.end()) {
      for (const auto& copy : it->second) settle_now(copy, how);
      in_work_.erase(it);
    }
  }
  if (handed_out_ > 0) --handed_out_;
  remove_when_settled();
}

void amqp1_listener::acknowledge_later(message_mark of) {
  if (!of.id.empty()) in_work_.try_emplace(std::move(of));
}

// ---- the end ------------------------------------------------------------------------------------

void amqp1_listener::stop() {
  if (std::exchange(stopped_, true)) return;
  const auto self = shared_from_this();
  if (engine_->link().is_open()) {
    for (const auto& s : sources_) engine_->link().machine().revoke_credit(s.link);
    for (const auto& m : std::exchange(arrived_, {})) {
      settle_now(m->where(), settlement::release);
      m->forget();
    }
    engine_->link().flush_later();
  }
  set_consuming(false);
  answer_ready(failure(errc::closed, "The listener was stopped."));
  serve();
  remove_when_settled();
}

/// A link that closed earlier would have the broker deliver running requests a second time.
void amqp1_listener::remove_when_settled() {
  if (!stopped_ || handed_out_ != 0 || farewell_until_ != instant::max()) return;
  farewell_until_ = engine_->link().now() + farewell_limit;
  if (engine_->link().is_open()) {
    for (const auto& s : sources_) engine_->link().machine().close_link(s.link);
    engine_->link().flush_later();
    engine_->wake_at(farewell_until_);
  }
  gone_if_closed();
}

void amqp1_listener::gone_if_closed() {
  const bool closed = std::ranges::all_of(sources_, [](const source& s) { return s.link == 0; });
  if (!closed || handed_out_ != 0 || std::exchange(gone_, true)) return;
  engine_->forget(*this);
  for (auto& done : std::exchange(gone_waiters_, {})) done();
}

void amqp1_listener::remove() {
  const auto self = shared_from_this();
  for (const auto& where : std::exchange(out_, {})) settle_now(where, settlement::give_back);
  stop();
  answer_ready(failure(errc::closed, "The transport was closed."));
}

void amqp1_listener::when_gone(unique_function<void()> done) {
  if (gone_) return done();
  gone_waiters_.push_back(std::move(done));
}

void amqp1_listener::ready(unique_function<void(result<void>)> done) {
  result<void> known;
  if (stopped_)
    known = failure(errc::closed, "The listener was stopped.");
  else if (!is_ready() && refused_)
    known = *refused_;
  else if (!is_ready())
    return ready_waiters_.push_back(std::move(done));
  engine_->loop().post(
      [done = std::move(done), known = std::move(known)]() mutable { done(std::move(known)); });
}

void amqp1_listener::answer_ready(const result<void>& r) {
  for (auto& done : std::exchange(ready_waiters_, {})) done(r);
}

void amqp1_listener::set_consuming(bool now) {
  if (consuming_.exchange(now) != now && changed_) changed_();
}

}  // namespace oslo::messaging::amqp1
