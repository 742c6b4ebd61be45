// The side of a listener that speaks to librdkafka and its group.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "core/utf8.hpp"
#include "drivers/kafka/engine.hpp"
#include "drivers/kafka/errors.hpp"
#include "drivers/kafka/log_events.hpp"
#include "drivers/kafka/subscription.hpp"
#include "drivers/kafka/token.hpp"

namespace oslo::messaging::kafka {
namespace {

/// How often librdkafka says which of its brokers are up, in milliseconds.
constexpr const char* consumer_statistics = "5000";
/// How long what is in work may hold up a rebalance of the whole group.
constexpr std::chrono::seconds longest_wait_for_work{3};

partition_name name_of(const rd_kafka_topic_partition_t& p) {
  return {p.topic, p.partition};
}

std::span<const rd_kafka_topic_partition_t> all_of(const rd_kafka_topic_partition_list_t& list) {
  return {list.elems, static_cast<std::size_t>(list.cnt)};
}

bool is_cooperative(rd_kafka_t* client) {
  const char* const protocol = rd_kafka_rebalance_protocol(client);
  return protocol != nullptr && std::string_view(protocol) == "COOPERATIVE";
}

/// "3 partition(s)", for the log.
std::string counted(const rd_kafka_topic_partition_list_t& list) {
  return std::to_string(list.cnt) + (list.cnt == 1 ? " partition" : " partitions");
}

}  // namespace

result<void> subscription::connect() {
  auto settings = context_->opts.consumer;
  settings.insert(settings.begin(), {"statistics.interval.ms", consumer_statistics});
  if (prefetch_ != 0)
    settings.insert(settings.begin(),
                    {"queued.min.messages",
                     std::to_string(std::clamp<std::size_t>(prefetch_, 100'000, 10'000'000))});
  settings.push_back({"group.id", group_});
  auto made = make_client(RD_KAFKA_CONSUMER, settings,
                          RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_OFFSET_COMMIT |
                              RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_STATS |
                              RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH);
  if (!made) return made.error();
  client_ = *std::move(made);
  rd_kafka_poll_set_consumer(client_.get());
  events_.reset(rd_kafka_queue_get_consumer(client_.get()));
  messages_.reset(rd_kafka_queue_new(client_.get()));
  wake_ = std::make_unique<event_fd>(context_->loop->executor());
  wake_->attach(events_.get());
  wake_->attach(messages_.get());
  wake_->start([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look();
  });
  partition_list_handle list(rd_kafka_topic_partition_list_new(static_cast<int>(topics_.size())));
  for (const auto& topic : topics_)
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (const auto e = rd_kafka_subscribe(client_.get(), list.get()); e != RD_KAFKA_RESP_ERR_NO_ERROR)
    return failure(code_of(e), "Group " + group_ + " cannot subscribe: " + explained(e) + ".");
  keep_membership();  // looks at once: what was queued before raised no event
  return {};
}

/// Whoever is not seen for max.poll.interval.ms is taken for dead, also when it has enough to do.
void subscription::keep_membership() {
  char text[32] = "";
  std::size_t size = sizeof text;
  long long interval = 300'000;
  if (rd_kafka_conf_get(rd_kafka_conf(client_.get()), "max.poll.interval.ms", text, &size) ==
      RD_KAFKA_CONF_OK)
    interval = std::max(1LL, std::atoll(text));
  auto& on = loop();
  keep_timer_ =
      on.run_at(on.now() + std::chrono::milliseconds(interval / 3 + 1), [weak = weak_from_this()] {
        if (const auto self = weak.lock(); self && self->client_) self->keep_membership();
      });
  on.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look();
  });
}

void subscription::look() {
  const auto self = shared_from_this();
  int n = 0;
  for (; n < events_a_turn && events_; ++n) {
    const event_handle e(rd_kafka_queue_poll(events_.get(), 0));
    if (!e) break;
    on_event(*e);
  }
  if (!client_) return;
  if (closing_ && rd_kafka_consumer_closed(client_.get()) != 0) return end();
  look_at_unsure();
  serve();
  if (n == events_a_turn) loop().post([self] { self->look(); });
}

void subscription::on_event(rd_kafka_event_t& e) {
  switch (rd_kafka_event_type(&e)) {
    case RD_KAFKA_EVENT_REBALANCE: {
      const auto* const list = rd_kafka_event_topic_partition_list(&e);
      if (list == nullptr) break;
      if (rd_kafka_event_error(&e) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        on_assign(*list);
      else
        on_revoke(*list);
      break;
    }
    case RD_KAFKA_EVENT_OFFSET_COMMIT: on_committed(e); break;
    case RD_KAFKA_EVENT_ERROR: on_error(e); break;
    case RD_KAFKA_EVENT_STATS: {
      const char* const text = rd_kafka_event_stats(&e);
      if (text != nullptr && shows_broker_up(text)) alive();
      break;
    }
    case RD_KAFKA_EVENT_FETCH:  // of a partition whose queue could not be taken apart
      while (const auto* const m = rd_kafka_event_message_next(&e))
        if (auto what = read(*m); what && !stopped_) arrived_.push_back(std::move(what));
      break;
    case RD_KAFKA_EVENT_LOG: log_event(context_->env.log, e); break;
    case RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH:
      give_token(client_.get(), context_->opts.token_file);
      break;
    default: break;
  }
}

void subscription::alive() {
  if (!state_.alive()) return;
  set_consuming();
  health_changed();
}

void subscription::health_changed() {
  if (const auto e = engine_.lock()) e->health_changed();
}

void subscription::on_error(rd_kafka_event_t& e) {
  const auto code = rd_kafka_event_error(&e);
  const char* const given = rd_kafka_event_error_string(&e);
  const std::string text = given == nullptr ? explained(code) : to_valid_utf8(given);
  const auto& log = context_->env.log;
  if (const auto topic = unavailable_topic(text);
      !topic.empty() && code_of(code) == errc::undeliverable) {
    log(log_level::info, "Topic " + std::string(topic) + " does not exist; it is waited for.");
    missing_.emplace(topic);
    alive();
    return check_ready();
  }
  if (rd_kafka_event_error_is_fatal(&e) != 0 || code_of(code) == errc::access_refused ||
      code_of(code) == errc::invalid_config) {
    failure why(code_of(code), text + std::string(advice(code)) + ".");
    if (!refused_ || refused_->message() != why.message())  // librdkafka goes on trying
      log(log_level::error, "Group " + group_ + " cannot consume: " + why.message());
    return refuse(why);
  }
  if (code == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
    log(log_level::warning, "Group " + group_ + " has taken this listener for dead: " + text);
    return;
  }
  if (!state_.on_error(code, text)) return;
  if (state_.verdict() && !ready_) refuse(*state_.verdict());
  set_consuming();
  health_changed();
}

void subscription::on_partition_error(const rd_kafka_message_t& m) {
  if (m.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return;
  const char* const topic = m.rkt == nullptr ? nullptr : rd_kafka_topic_name(m.rkt);
  const std::string text = "Topic " + std::string(topic == nullptr ? "?" : topic) + ", partition " +
                           std::to_string(m.partition) + ": " + explained(m.err);
  if (code_of(m.err) != errc::access_refused) return context_->log(log_level::warning, text);
  // librdkafka goes on asking, and so this may end.
  if (!refused_) context_->log(log_level::error, "Group " + group_ + " cannot consume: " + text);
  refuse(failure(errc::access_refused, text + "."));
}

// ---- rebalances ---------------------------------------------------------------------------------

void subscription::on_assign(const rd_kafka_topic_partition_list_t& list) {
  if (revoking_) finish_revocation();
  context_->log(log_level::info, "Group " + group_ + " assigns " + counted(list) + ".");
  const bool must_be_sure = context_->opts.latest;
  for (const auto& p : all_of(list)) {
    const auto name = name_of(p);
    missing_.erase(name.topic);
    ledger_.assign(name);
    auto made = std::make_shared<partition>();
    made->name = name;
    // Not by way of the queue of events, behind whose messages a rebalance would wait.
    if (queue_handle q{rd_kafka_queue_get_partition(client_.get(), p.topic, p.partition)}) {
      if (must_be_sure && !closing_) {
        rd_kafka_queue_forward(q.get(), nullptr);
        wake_->attach(q.get());
        made->unsure = std::move(q);
      } else {
        rd_kafka_queue_forward(q.get(), messages_.get());
      }
    }
    partitions_[name] = std::move(made);
  }
  if (is_cooperative(client_.get())) {
    const error_handle refused(rd_kafka_incremental_assign(client_.get(), &list));
    if (refused)
      context_->log(log_level::error,
                    std::string("The assignment failed: ") + rd_kafka_error_string(refused.get()));
  } else if (const auto e = rd_kafka_assign(client_.get(), &list);
             e != RD_KAFKA_RESP_ERR_NO_ERROR) {
    context_->log(log_level::error, "The assignment failed: " + explained(e));
  }
  assigned_ = true;
  refused_.reset();
  alive();
  look_at_unsure();
  check_ready();
  set_consuming();
}

/// The position of a partition is known once its first message came, or its end was seen.
void subscription::look_at_unsure() {
  bool changed = false;
  for (const auto& [name, p] : partitions_) {
    if (!p->unsure) continue;
    rd_kafka_message_t* raw = nullptr;
    if (rd_kafka_consume_batch_queue(p->unsure.get(), 0, &raw, 1) != 1) continue;
    const message_handle m(raw);
    event_fd::detach(p->unsure.get());
    rd_kafka_queue_forward(p->unsure.get(), messages_.get());
    p->unsure.reset();
    changed = true;
    if (auto what = read(*m); what && !stopped_) arrived_.push_back(std::move(what));
  }
  if (changed) check_ready();
}

bool subscription::is_revoked(const partition_name& p) const {
  if (!revoking_) return false;
  const auto all = all_of(*revoking_->list);
  return std::any_of(all.begin(), all.end(), [&](const auto& r) { return name_of(r) == p; });
}

void subscription::on_revoke(const rd_kafka_topic_partition_list_t& list) {
  if (revoking_) finish_revocation();
  context_->log(log_level::info, "Group " + group_ + " takes back " + counted(list) + ".");
  revoking_.emplace();
  revoking_->list.reset(rd_kafka_topic_partition_list_copy(&list));
  revoking_->lost = rd_kafka_assignment_lost(client_.get()) != 0;
  // What was not handed out comes to whoever has the partition next.
  std::erase_if(arrived_, [this](const auto& c) { return is_revoked(c->from->name); });
  auto& on = loop();
  revoking_->timer = on.run_at(on.now() + longest_wait_for_work, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && self->revoking_) self->finish_revocation();
  });
  proceed_with_revocation();
}

/// Gives what is in work a moment to end, then commits, then lets go.
void subscription::proceed_with_revocation() {
  if (!revoking_ || gone_) return;
  if (revoking_->lost || leaving_) return finish_revocation();
  for (const auto& p : all_of(*revoking_->list)) {
    const auto at = partitions_.find(name_of(p));
    if (at != partitions_.end() && at->second->in_work != 0) return;
  }
  if (committing_) return;  // the result brings us back
  if (!std::exchange(revoking_->committed, true) && commit()) return;
  finish_revocation();
}

void subscription::finish_revocation() {
  auto ending = std::move(*revoking_);
  revoking_.reset();
  loop().cancel(ending.timer);
  if (!ending.lost && !committing_)
    commit();  // what was settled since; it goes out before the rest
  for (const auto& p : all_of(*ending.list)) {
    const auto name = name_of(p);
    ledger_.revoke(name);
    if (const auto at = partitions_.find(name); at != partitions_.end()) {
      if (at->second->unsure) event_fd::detach(at->second->unsure.get());
      at->second->unsure.reset();
      partitions_.erase(at);
    }
  }
  if (is_cooperative(client_.get())) {
    const error_handle refused(rd_kafka_incremental_unassign(client_.get(), ending.list.get()));
  } else {
    rd_kafka_assign(client_.get(), nullptr);
  }
  serve();
}

// ---- offsets ------------------------------------------------------------------------------------

void subscription::commit_later() {
  if (gone_) return;
  if (context_->opts.auto_commit) {
    // librdkafka commits what is stored.
    for (const auto& p : ledger_.due()) {
      partition_list_handle one(rd_kafka_topic_partition_list_new(1));
      rd_kafka_topic_partition_list_add(one.get(), p.where.topic.c_str(), p.where.number)->offset =
          p.next;
      if (rd_kafka_offsets_store(client_.get(), one.get()) == RD_KAFKA_RESP_ERR_NO_ERROR)
        ledger_.committed(p);
    }
    return;
  }
  if (committing_ || commit_timer_ != scheduler::timer_id::none) return;
  auto& on = loop();
  commit_timer_ = on.run_at(on.now() + context_->opts.commit_interval, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->commit_timer_ = scheduler::timer_id::none;
    if (!self->committing_ && !self->gone_) self->commit();
  });
}

/// False when there is nothing to commit. One commit at a time: the next takes what has come since.
bool subscription::commit() {
  if (context_->opts.auto_commit) return false;
  const auto due = ledger_.due();
  if (due.empty()) return false;
  partition_list_handle list(rd_kafka_topic_partition_list_new(static_cast<int>(due.size())));
  for (const auto& p : due)
    rd_kafka_topic_partition_list_add(list.get(), p.where.topic.c_str(), p.where.number)->offset =
        p.next;
  if (rd_kafka_commit_queue(client_.get(), list.get(), events_.get(), nullptr, this) !=
      RD_KAFKA_RESP_ERR_NO_ERROR)
    return false;
  loop().cancel(std::exchange(commit_timer_, scheduler::timer_id::none));
  committing_ = true;
  return true;
}

void subscription::on_committed(rd_kafka_event_t& e) {
  if (rd_kafka_event_opaque(&e) != this) return;  // librdkafka's own
  committing_ = false;
  const auto error = rd_kafka_event_error(&e);
  const auto* const list = rd_kafka_event_topic_partition_list(&e);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) alive();
  if (list != nullptr)
    for (const auto& p : all_of(*list))
      if (p.err == RD_KAFKA_RESP_ERR_NO_ERROR && error == RD_KAFKA_RESP_ERR_NO_ERROR)
        ledger_.committed({name_of(p), p.offset});
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR__NO_OFFSET)
    context_->log(log_level::info,
                  "Group " + group_ + " has not taken a commit: " + explained(error));
  if (revoking_) proceed_with_revocation();
  if (committing_ || gone_) return;
  if (leaving_) {
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || !commit()) close_consumer();
  } else if (!ledger_.due().empty()) {
    commit_later();
  }
}

/// librdkafka gives the partitions back and leaves the group; `look` sees when it has.
void subscription::close_consumer() {
  if (std::exchange(closing_, true)) return;
  const error_handle failed(rd_kafka_consumer_close_queue(client_.get(), events_.get()));
  loop().post([weak = weak_from_this(), failed = failed != nullptr] {
    const auto self = weak.lock();
    if (!self) return;
    if (failed)
      self->end();
    else
      self->look();
  });
}

}  // namespace oslo::messaging::kafka
