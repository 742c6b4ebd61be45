#include "drivers/rabbit/listener.hpp"

#include <type_traits>
#include <utility>
#include <variant>

#include "core/unique_id.hpp"
#include "drivers/rabbit/body.hpp"
#include "drivers/rabbit/deadline.hpp"
#include "wire/compression.hpp"
#include "wire/reply.hpp"

namespace oslo::messaging::rabbit {

// ---- rabbit_listener ----------------------------------------------------------------------------

rabbit_listener::rabbit_listener(std::shared_ptr<engine> e, std::uint16_t prefetch)
    : consumer_channel({}, prefetch), engine_(std::move(e)), seen_(random_bits()) {}

void rabbit_listener::begin(std::vector<source> sources) {
  if (stopped_) return;
  read_from(std::move(sources));
  engine_->consumer().add(shared_from_this());
}

std::shared_ptr<listener> rabbit_listener::handle() {
  return {static_cast<listener*>(this), [self = shared_from_this()](listener*) {
            self->engine_->loop().dispatch([self] { self->stop(); });
          }};
}

void rabbit_listener::next(std::size_t max, unique_function<void(incoming_batch)> done) {
  want_ = max;
  waiting_ = std::move(done);
  serve();
}

/// Settles a second copy: with the first one when that is still being worked on, else at once.
/// Asked when a message is handed out, because two copies may arrive together.
bool rabbit_listener::is_copy(const rabbit_message& m) {
  if (!in_work_.empty()) {
    if (const auto it = in_work_.find({std::string(m.unique_id()), m.content()});
        it != in_work_.end()) {
      engine_->count("server_duplicates_total");
      it->second.push_back({lifetime(), m.tag()});
      return true;
    }
  }
  if (!seen_.seen(m.unique_id(), m.content(), engine_->loop().now())) return false;
  report_copy(m.unique_id());
  engine_->count("server_duplicates_total");
  engine_->consumer().ack(*this, lifetime(), m.tag());
  return true;
}

void rabbit_listener::report_copy(std::string_view unique_id) {
  if (const auto line = copies_.ignored(unique_id, engine_->loop().now()))
    return engine_->env().log(log_level::warning, *line);
  if (copies_timer_ != scheduler::timer_id::none) return;
  copies_timer_ = engine_->loop().run_at(copies_.next_deadline(), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->copies_timer_ = scheduler::timer_id::none;
    if (const auto line = self->copies_.on_tick(self->engine_->loop().now()))
      self->engine_->env().log(log_level::warning, *line);
  });
}

/// A single message always has room.
bool rabbit_listener::must_wait(const arrival& a) const noexcept {
  return std::holds_alternative<packed_message>(a.message) && unpacked_ != 0 &&
         unpacked_ >= engine_->opts().most_unpacked;
}

/// Null for what cannot be read.
std::unique_ptr<rabbit_message> rabbit_listener::take(arrival a) {
  if (auto* const read_already = std::get_if<std::unique_ptr<rabbit_message>>(&a.message))
    return std::move(*read_already);
  const auto& p = std::get<packed_message>(a.message);
  const amqp091::delivery d{.delivery_tag = p.tag,
                            .redelivered = p.redelivered,
                            .routing_key = p.routing_key,
                            .props = &p.props,
                            .body = p.body};
  try {
    return read(d, true, p.deadline);
  } catch (const std::exception& e) {
    engine_->consumer().drop(*this, lifetime(), d, e.what());
    return nullptr;
  }
}

/// Hands out what has arrived. A pull that is answered may pull again from inside.
void rabbit_listener::serve() {
  if (serving_) return;
  serving_ = true;
  while (waiting_ && (stopped_ || (!arrived_.empty() && !must_wait(arrived_.front())))) {
    incoming_batch batch;
    while (!arrived_.empty() && batch.size() < want_ && !must_wait(arrived_.front())) {
      auto first = std::move(arrived_.front());
      arrived_.pop_front();
      auto m = take(std::move(first));
      if (!m) continue;
      if (is_copy(*m))
        m->forget();
      else
        batch.push_back(std::move(m));
    }
    if (batch.empty() && !stopped_) continue;  // an empty one would mean the end
    handed_out_ += batch.size();
    std::exchange(waiting_, nullptr)(std::move(batch));
  }
  serving_ = false;
}

void rabbit_listener::unpacked_gone(std::size_t bytes) {
  unpacked_ -= bytes;
  serve();
}

void rabbit_listener::stop() {
  if (std::exchange(stopped_, true)) return;
  const auto self = shared_from_this();
  auto& consumer = engine_->consumer();
  consumer.stop_deliveries(self);
  // Gives each of them back to the broker; the last one may bring us to `on_lost`, which must not
  // find them here half destroyed.
  auto unwanted = std::exchange(arrived_, {});
  handed_out_ += unwanted.size();
  for (const auto& a : unwanted)
    if (const auto* const p = std::get_if<packed_message>(&a.message))
      settle(lifetime(), p->tag, {}, 0, false);
  unwanted.clear();
  answer_ready(failure(errc::closed, "The listener was stopped."));
  serve();
  remove_when_settled();
}

/// A channel that closed earlier would have the broker deliver running requests a second time.
void rabbit_listener::remove_when_settled() {
  if (stopped_ && handed_out_ == 0) engine_->consumer().remove(shared_from_this());
}

void rabbit_listener::settle(std::uint64_t lifetime, std::uint64_t tag, std::string_view unique_id,
                             std::uint64_t content, bool ack) {
  auto& consumer = engine_->consumer();
  if (ack) {
    consumer.ack(*this, lifetime, tag);
  } else {
    seen_.forget(unique_id, content);  // it comes again
    consumer.reject(*this, lifetime, tag, true);
  }
  if (!in_work_.empty()) {
    if (const auto it = in_work_.find({std::string(unique_id), content}); it != in_work_.end()) {
      for (const auto& c : it->second)
        ack ? consumer.ack(*this, c.lifetime, c.tag)
            : consumer.reject(*this, c.lifetime, c.tag, true);
      in_work_.erase(it);
    }
  }
  if (handed_out_ > 0) --handed_out_;
  remove_when_settled();
}

void rabbit_listener::acknowledge_later(message_mark of) {
  if (!of.unique_id.empty()) in_work_.try_emplace(std::move(of));
}

void rabbit_listener::when_gone(unique_function<void()> done) {
  if (gone_) return done();
  gone_waiters_.push_back(std::move(done));
}

void rabbit_listener::on_gone() {
  gone_ = true;
  engine_->loop().cancel(std::exchange(copies_timer_, scheduler::timer_id::none));
  for (auto& done : std::exchange(gone_waiters_, {})) done();
}

void rabbit_listener::set_consuming(bool now) {
  if (consuming_.exchange(now) != now && changed_) changed_();
}

void rabbit_listener::ready(unique_function<void(result<void>)> done) {
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

void rabbit_listener::answer_ready(const result<void>& r) {
  for (auto& done : std::exchange(ready_waiters_, {})) done(r);
}

void rabbit_listener::on_ready() {
  refused_.reset();
  set_consuming(true);
  answer_ready({});
}

void rabbit_listener::on_refused(const failure& why) {
  refused_ = why;
  answer_ready(why);
}

/// What waits here will be delivered again; a stream has to be asked for it. What was handed out
/// goes on: a second copy of it would be recognised.
void rabbit_listener::on_lost() {
  for (auto it = arrived_.rbegin(); it != arrived_.rend(); ++it)
    if (it->stream_offset) read_stream_again_from(*it->stream_offset);
  for (auto& a : arrived_)
    if (auto* const m = std::get_if<std::unique_ptr<rabbit_message>>(&a.message)) (*m)->forget();
  arrived_.clear();
  set_consuming(false);
}

void rabbit_listener::on_removed() {
  stopped_ = true;
  answer_ready(failure(errc::closed, "The transport was closed."));
  serve();
}

void rabbit_listener::on_delivery(const amqp091::delivery& d) {
  if (stopped_) return engine_->consumer().reject(*this, lifetime(), d.delivery_tag, true);
  const auto unreadable = [](std::string why) {
    throw_failure({errc::malformed_message, std::move(why)});
  };
  if (d.props->content_type != "application/json")
    unreadable("its content type is " + d.props->content_type.value_or("not given"));
  std::optional<scheduler::time_point> deadline;
  if (d.props->expiration || d.props->headers) {
    const auto now = engine_->loop().now();
    if (const auto left = clocks_.time_left(call_time_of(*d.props), now)) deadline = now + *left;
  }
  const auto offset = stream_offset(d);
  if (is_compressed(d))
    arrived_.push_back({packed_message{*d.props, std::string(d.routing_key), std::string(d.body),
                                       d.delivery_tag, d.redelivered, deadline},
                        offset});
  else
    arrived_.push_back({read(d, false, deadline), offset});
}

std::unique_ptr<rabbit_message> rabbit_listener::read(
    const amqp091::delivery& d, bool compressed, std::optional<scheduler::time_point> deadline) {
  std::string decompressed;
  const auto body = body_of(d, engine_->opts().link.amqp.max_body, decompressed).value();
  auto m = std::make_unique<rabbit_message>(shared_from_this(), lifetime(), d,
                                            wire::read_request(body).value(), deadline,
                                            compressed ? body.size() : 0);
  if (compressed) unpacked_ += body.size();
  return m;
}

// ---- rabbit_message -----------------------------------------------------------------------------

rabbit_message::rabbit_message(std::shared_ptr<rabbit_listener> from, std::uint64_t lifetime,
                               const amqp091::delivery& d, wire::incoming_request r,
                               std::optional<scheduler::time_point> deadline, std::size_t unpacked)
    : from_(std::move(from)),
      lifetime_(lifetime),
      tag_(d.delivery_tag),
      content_(std::hash<std::string_view>{}(d.body)),
      unpacked_(unpacked),
      redelivered_(d.redelivered),
      deadline_(deadline),
      request_(std::move(r)) {
  if (!d.props->headers) return;
  for (const auto& [name, v] : d.props->headers->entries())
    if (const auto* const text = v.as_string(); text != nullptr && name != wire::compression_header)
      headers_.push_back({name, *text});
  if (const auto* const count = d.props->headers->find("x-delivery-count"))
    requeues_ = std::visit(
        [](const auto& n) -> std::optional<std::size_t> {
          using number = std::decay_t<decltype(n)>;
          if constexpr (std::is_integral_v<number> && !std::is_same_v<number, bool>)
            if (std::in_range<std::size_t>(n)) return static_cast<std::size_t>(n);
          return std::nullopt;
        },
        count->data);
}

rabbit_message::~rabbit_message() {
  settle(false);
  if (unpacked_ != 0)
    from_->owner().loop().post([from = from_, bytes = unpacked_] { from->unpacked_gone(bytes); });
}

const context& rabbit_message::ctxt() const noexcept {
  if (!ctxt_) ctxt_ = request_.make_context();
  return *ctxt_;
}

void rabbit_message::acknowledge_later() {
  from_->owner().loop().dispatch(
      [from = from_, of = mark()]() mutable { from->acknowledge_later(std::move(of)); });
}

void rabbit_message::settle(bool ack) {
  if (std::exchange(settled_, true)) return;
  auto& loop = from_->owner().loop();
  if (loop.running_here()) return from_->settle(lifetime_, tag_, request_.unique_id, content_, ack);
  loop.post([from = from_, lifetime = lifetime_, tag = tag_, of = mark(), ack] {
    from->settle(lifetime, tag, of.unique_id, of.content, ack);
  });
}

void rabbit_message::reply(outgoing_reply r, unique_function<void(result<void>)> done) {
  if (request_.msg_id.empty() || request_.reply_q.empty()) {
    if (done) done({});
    return;
  }
  std::string body;  // written here, on the handler's thread, not on the loop
  wire::write_reply(body, r, {request_.msg_id, request_.msg_id_is_text}, unique_digits());
  pending_reply a{std::string(request_.reply_q),
                  std::string(request_.msg_id),
                  request_.msg_id_is_text,
                  std::move(body),
                  !settled_,
                  from_,
                  std::move(done)};
  auto& owner = from_->owner();
  if (owner.loop().running_here()) return owner.replies().send(std::move(a));
  owner.loop().post(
      [from = from_, a = std::move(a)]() mutable { from->owner().replies().send(std::move(a)); });
}

void rabbit_message::heartbeat(unique_function<void(result<void>)> done) {
  if (request_.msg_id.empty() || request_.reply_q.empty()) {
    if (done) done({});
    return;
  }
  std::string body;
  wire::write_heartbeat(body, {request_.msg_id, request_.msg_id_is_text}, unique_digits());
  from_->owner().loop().dispatch([from = from_, queue = std::string(request_.reply_q),
                                  body = std::move(body), done = std::move(done)]() mutable {
    from->owner().replies().heartbeat(std::move(queue), std::move(body), std::move(done));
  });
}

}  // namespace oslo::messaging::rabbit
