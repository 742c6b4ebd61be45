#include "drivers/kafka/subscription.hpp"

#include <algorithm>
#include <utility>

#include "core/tasks/guarded.hpp"
#include "core/utf8.hpp"
#include "drivers/kafka/engine.hpp"
#include "drivers/kafka/errors.hpp"

namespace oslo::messaging::kafka {
namespace {

/// Offsets of a partition that are remembered behind one message that is not settled.
constexpr std::size_t most_remembered = 100'000;
/// How long the last commit and the leaving of the group may take.
constexpr std::chrono::seconds longest_leave{10};
constexpr std::size_t most_headers = 1'000;
/// Of handlers that are as quick as the loop: others want it, too.
constexpr std::size_t messages_a_turn = 1'000;

failure stopped_failure() {
  return {errc::closed, "The listener was stopped."};
}

/// What stands beside a record, as far as it is text.
std::vector<message_header> headers_of(const rd_kafka_message_t& m) {
  std::vector<message_header> found;
  rd_kafka_headers_t* all = nullptr;
  if (rd_kafka_message_headers(&m, &all) != RD_KAFKA_RESP_ERR_NO_ERROR) return found;
  const char* name = nullptr;
  const void* data = nullptr;
  std::size_t size = 0;
  for (std::size_t i = 0;
       i < most_headers &&
       rd_kafka_header_get_all(all, i, &name, &data, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
       ++i) {
    const std::string_view value(static_cast<const char*>(data), data == nullptr ? 0 : size);
    if (name != nullptr && is_utf8(name) && is_utf8(value))
      found.push_back({name, std::string(value)});
  }
  return found;
}

}  // namespace

subscription::subscription(context_ptr c, std::weak_ptr<engine> owner,
                           std::vector<std::string> topics, std::string group, std::size_t prefetch)
    : context_(std::move(c)),
      engine_(std::move(owner)),
      topics_(std::move(topics)),
      group_(std::move(group)),
      prefetch_(prefetch),
      ledger_(most_remembered) {}

subscription::~subscription() {
  end();
}

std::shared_ptr<listener> subscription::handle() {
  return {static_cast<listener*>(this), [self = shared_from_this()](listener*) {
            self->loop().dispatch([self] { self->stop(); });
          }};
}

// ---- ready --------------------------------------------------------------------------------------

void subscription::begin() {
  if (context_->closed) return stop();
  if (const auto r = connect(); !r) refuse(r.error());
}

void subscription::refuse(const failure& why) {
  refused_ = why;
  answer_ready(why);
  set_consuming();
}

void subscription::ready(unique_function<void(result<void>)> done) {
  result<void> known;
  if (stopped_)
    known =
        context_->closed ? failure(errc::closed, "The transport was closed.") : stopped_failure();
  else if (refused_)
    known = *refused_;
  else if (!ready_)
    return ready_waiters_.push_back(std::move(done));
  loop().post(
      [done = std::move(done), known = std::move(known)]() mutable { done(std::move(known)); });
}

void subscription::answer_ready(const result<void>& r) {
  for (auto& done : std::exchange(ready_waiters_, {})) call_guarded(loop(), done, r);
}

void subscription::check_ready() {
  if (ready_ || stopped_) return;
  const bool all_sure =
      assigned_ && std::all_of(partitions_.begin(), partitions_.end(),
                               [](const auto& p) { return p.second->unsure == nullptr; });
  if (!all_sure && missing_.size() < topics_.size()) return;
  ready_ = true;
  refused_.reset();
  set_consuming();
  answer_ready({});
}

void subscription::set_consuming() {
  const bool now = ready_ && !stopped_ && !refused_ && !state_.is_down();
  if (consuming_.exchange(now) != now && changed_) changed_();
}

// ---- messages -----------------------------------------------------------------------------------

void subscription::next(std::size_t max, unique_function<void(incoming_batch)> done) {
  want_ = max;
  waiting_ = std::move(done);
  serve();
}

/// Hands out what there is. A pull that is answered may pull again from inside.
void subscription::serve() {
  if (serving_) return;
  serving_ = true;
  std::size_t served = 0;
  while (waiting_ && served < messages_a_turn) {
    incoming_batch batch;
    if (!stopped_) take(batch);
    if (batch.empty() && !stopped_) break;  // an empty one would mean the end
    served += batch.size();
    std::exchange(waiting_, nullptr)(std::move(batch));
  }
  serving_ = false;
  if (served >= messages_a_turn && waiting_)
    loop().post([self = shared_from_this()] { self->serve(); });
}

/// Fills the batch, and stops earlier only when librdkafka has nothing more.
void subscription::take(incoming_batch& batch) {
  while (!arrived_.empty() && batch.size() < want_) {
    auto first = std::move(arrived_.front());
    arrived_.pop_front();
    hand_out(batch, std::move(first));
  }
  if (revoking_ || !messages_) return;
  while (batch.size() < want_) {
    if (ledger_.full()) {
      if (!std::exchange(told_full_, true))
        context_->log(
            log_level::warning,
            "A notification listener of group " + group_ +
                " takes nothing more: " + std::to_string(most_remembered) +
                " messages of a partition were handed out since one that is not settled.");
      return;
    }
    told_full_ = false;
    rd_kafka_message_t* raw[256];
    const auto most =
        std::min({want_ - batch.size(), context_->opts.most_at_once, sizeof raw / sizeof raw[0]});
    const auto count = rd_kafka_consume_batch_queue(messages_.get(), 0, raw, most);
    if (count <= 0) return;
    for (ssize_t i = 0; i < count; ++i) {
      const message_handle m(raw[i]);
      if (auto what = read(*m)) hand_out(batch, std::move(what));
    }
  }
}

void subscription::hand_out(incoming_batch& batch, std::shared_ptr<content> what) {
  ++handed_out_;
  ++what->from->in_work;
  batch.push_back(std::make_unique<kafka_message>(shared_from_this(), std::move(what)));
}

/// Null for what is no message, or cannot be read.
std::shared_ptr<content> subscription::read(const rd_kafka_message_t& m) {
  if (m.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    on_partition_error(m);
    return nullptr;
  }
  alive();
  if (refused_) {
    refused_.reset();
    set_consuming();
  }
  const partition_name name{rd_kafka_topic_name(m.rkt), m.partition};
  const auto at = partitions_.find(name);
  const auto made = rd_kafka_message_timestamp(&m, nullptr);
  if (ledger_.begins_anew(name, m.offset, made)) {
    context_->log(log_level::warning, "Topic " + name.topic + ", partition " +
                                          std::to_string(name.number) +
                                          " begins anew with offset " + std::to_string(m.offset) +
                                          ": it was deleted and made again.");
    ledger_.assign(name);
  }
  const auto ticket = ledger_.arrived(name, m.offset, made);
  if (at == partitions_.end() || !ticket) return nullptr;  // of an assignment that is over
  auto body = read_body({static_cast<const char*>(m.payload), m.payload == nullptr ? 0 : m.len});
  if (!body) {
    context_->count("server_malformed_messages_total");
    context_->log(log_level::error, "A message of topic " + name.topic + ", partition " +
                                        std::to_string(name.number) + ", offset " +
                                        std::to_string(m.offset) +
                                        " is dropped: " + body.error().message());
    if (ledger_.settle(*ticket)) commit_later();
    return nullptr;
  }
  return std::make_shared<content>(
      content{*std::move(body), headers_of(m), at->second, *ticket, false});
}

void subscription::settle(const std::shared_ptr<content>& what, bool acknowledged) {
  --handed_out_;
  --what->from->in_work;
  if (acknowledged) {
    if (ledger_.settle(what->ticket)) commit_later();
  } else if (!stopped_ && ledger_.is_open(what->ticket) && !is_revoked(what->from->name)) {
    what->redelivered = true;
    arrived_.push_front(what);
  }
  proceed_with_revocation();
  leave_when_settled();
  serve();
}

// ---- the end ------------------------------------------------------------------------------------

void subscription::stop() {
  if (std::exchange(stopped_, true)) return;
  const auto self = shared_from_this();
  arrived_.clear();  // never settled: it comes again, to whoever has the partition then
  set_consuming();
  answer_ready(context_->closed ? failure(errc::closed, "The transport was closed.")
                                : stopped_failure());
  serve();
  leave_when_settled();
}

void subscription::shut(unique_function<void()> done) {
  const auto self = shared_from_this();
  forced_ = true;
  stop();
  leave_when_settled();
  when_gone(std::move(done));
}

/// An earlier end would have messages that are in work delivered a second time.
void subscription::leave_when_settled() {
  if (!stopped_ || leaving_ || (handed_out_ != 0 && !forced_)) return;
  leaving_ = true;
  if (!client_) return end();
  auto& on = loop();
  leave_timer_ = on.run_at(on.now() + longest_leave, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->end();
  });
  if (revoking_) proceed_with_revocation();
  if (!committing_ && !commit()) close_consumer();
}

void subscription::end() {
  if (std::exchange(gone_, true)) return;
  stopped_ = leaving_ = true;
  auto& on = loop();
  on.cancel(commit_timer_);
  on.cancel(keep_timer_);
  on.cancel(leave_timer_);
  if (revoking_) on.cancel(revoking_->timer);
  revoking_.reset();
  for (const auto& [name, p] : partitions_) {
    if (p->unsure) event_fd::detach(p->unsure.get());
    p->unsure.reset();  // messages in work hold the partition
  }
  partitions_.clear();
  for (const auto* const q : {&events_, &messages_})
    if (*q) event_fd::detach(q->get());
  wake_.reset();
  events_.reset();
  messages_.reset();
  client_ = {};
  for (auto& done : std::exchange(gone_waiters_, {})) done();
  if (const auto e = engine_.lock()) e->forget(*this);
}

void subscription::when_gone(unique_function<void()> done) {
  if (gone_) return done();
  gone_waiters_.push_back(std::move(done));
}

}  // namespace oslo::messaging::kafka
