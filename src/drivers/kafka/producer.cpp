#include "drivers/kafka/producer.hpp"

#include <algorithm>
#include <iterator>

#include "core/saturating.hpp"
#include "core/send_stage.hpp"
#include "core/utf8.hpp"
#include "drivers/kafka/errors.hpp"
#include "drivers/kafka/log_events.hpp"
#include "drivers/kafka/pending_send.hpp"
#include "drivers/kafka/token.hpp"

namespace oslo::messaging::kafka {
namespace {

/// The bounds of docs/architecture.md; librdkafka has the same for its part.
constexpr std::size_t most_messages = 200'000;
constexpr std::size_t most_bytes = std::size_t{256} << 20;
/// Sends that are given to librdkafka at once: as many small ones as fill a request of 1 MB.
constexpr std::size_t most_gathered = 2'000;
/// How often librdkafka says which of its brokers are up, in milliseconds.
constexpr const char* producer_statistics = "1000";
/// What the attempt under way gets once the brokers are said to be down: that may be no more than
/// an idle connection that a broker has closed, and librdkafka opens another one.
constexpr std::chrono::milliseconds attempt_under_way{500};

}  // namespace

producer::producer(context_ptr c, unique_function<void()> changed)
    : context_(std::move(c)), loop_(context_->loop), changed_(std::move(changed)) {}

producer::~producer() {
  if (events_) event_fd::detach(events_.get());
  client_.keep_until_the_end(all_);
}

result<void> producer::connect() {
  if (client_) return {};
  auto settings = context_->opts.producer;
  settings.insert(settings.begin(), {"statistics.interval.ms", producer_statistics});
  auto made = make_client(RD_KAFKA_PRODUCER, settings,
                          RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG |
                              RD_KAFKA_EVENT_STATS | RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH);
  if (!made) return made.error();
  client_ = *std::move(made);
  events_.reset(rd_kafka_queue_get_main(client_.get()));
  wake_ = std::make_unique<event_fd>(loop_->executor());
  wake_->attach(events_.get());
  wake_->start([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look();
  });
  // What was queued before raised no event.
  loop_->post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look();
  });
  changed_();
  return {};
}

// ---- sending ------------------------------------------------------------------------------------

void producer::send(std::string topic, std::string body, std::vector<message_header> headers,
                    send_options o, send_completion done) {
  const auto now = loop_->now();
  auto s = std::make_shared<pending_send>();
  s->topic = std::move(topic);
  s->body = std::move(body);
  s->headers = std::move(headers);
  s->retry = o.retry;
  s->begun = now;
  s->done = std::move(done);
  if (o.timeout) s->deadline = deadline_after(now, *o.timeout);
  all_->push_back(s);
  s->place = std::prev(all_->end());
  bytes_ += s->body.size();
  ++waiting_;

  if (closed_) return finish(s, failure(errc::closed, "The transport was closed."), true);
  if (o.cancel.stop_requested())
    return finish(s, failure(errc::cancelled, "The send was cancelled before it began."), true);
  if (all_->size() > most_messages || bytes_ > most_bytes)
    return finish(s,
                  failure(errc::limit_exceeded,
                          "Topic " + s->topic + " cannot be sent to: " +
                              std::to_string(all_->size() - 1) + " messages wait already.",
                          detail_of(*s, to_string(send_stage::queued))),
                  true);
  if (auto connected = connect(); !connected) return finish(s, connected.error(), true);
  if (const auto& refused = state_.verdict())
    return finish(s,
                  failure(refused->code(), refused->message(),
                          detail_of(*s, to_string(send_stage::connecting))),
                  true);
  if (state_.is_down() && s->retry >= 0) s->give_up = end_of_attempts(*s);
  set_due(s);
  if (o.cancel.stop_possible())
    s->on_cancel = std::make_unique<std::stop_callback<unique_function<void()>>>(
        std::move(o.cancel), unique_function<void()>([weak = weak_from_this(),
                                                      weak_send = std::weak_ptr(s), loop = loop_] {
          loop->post([weak, weak_send] {
            const auto self = weak.lock();
            const auto send = weak_send.lock();
            if (self && send && !send->ended)
              self->finish(send, failure(errc::cancelled,
                                         "The send was cancelled while it waited for the broker."));
          });
        }));
  const bool no_time = s->due && (*s->due)->first <= now;
  // While no broker can be reached it stays here, where it can be taken back.
  if (!replacing_ && !no_time && !state_.is_down()) produce_soon(s);
  arm();
}

void producer::produce_soon(const send_ptr& s) {
  gathered_.push_back(s);
  if (gathered_.size() >= most_gathered) return produce_gathered();
  if (gathered_.size() == 1)
    loop_->post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->produce_gathered();
    });
}

/// What ended or was given to librdkafka meanwhile needs nothing; what may not be given to it now
/// gets there when it may again.
void producer::produce_gathered() {
  for (const auto& s : std::exchange(gathered_, {}))
    if (!s->ended && !s->in_library && !replacing_ && !state_.is_down()) produce(s);
}

void producer::produce(const send_ptr& s) {
  headers_handle headers;
  if (!s->headers.empty()) {
    headers.reset(rd_kafka_headers_new(s->headers.size()));
    for (const auto& h : s->headers)
      rd_kafka_header_add(headers.get(), h.name.data(), static_cast<ssize_t>(h.name.size()),
                          h.value.data(), static_cast<ssize_t>(h.value.size()));
  }
  // Without a copy: the body stays where it is until the report has come, or the client has ended.
  rd_kafka_vu_t parts[5];
  parts[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  parts[0].u.cstr = s->topic.c_str();
  parts[1].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[1].u.mem = {s->body.data(), s->body.size()};
  parts[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[2].u.i = 0;
  parts[3].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[3].u.ptr = s.get();
  parts[4].vtype = RD_KAFKA_VTYPE_HEADERS;
  parts[4].u.headers = headers.get();
  const error_handle refused(rd_kafka_produceva(client_.get(), parts, headers ? 5 : 4));
  const auto e = refused ? rd_kafka_error_code(refused.get()) : RD_KAFKA_RESP_ERR_NO_ERROR;
  if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
    (void)headers.release();  // it is the message's now
    s->in_library = true;
    ++in_library_;
    return;
  }
  if (e == RD_KAFKA_RESP_ERR__FATAL) {
    replacing_ = true;
    return replace_when_empty();
  }
  finish(s,
         failure(code_of(e), "Topic " + s->topic + " cannot be sent to: " + explained(e) + ".",
                 detail_of(*s, to_string(send_stage::queued))),
         true);
}

// ---- what librdkafka says -----------------------------------------------------------------------

void producer::look() {
  const auto self = shared_from_this();
  for (int n = 0; n < events_a_turn; ++n) {
    if (!events_) return;
    const event_handle e(rd_kafka_queue_poll(events_.get(), 0));
    if (!e) return;
    on_event(*e);
  }
  loop_->post([self] { self->look(); });
}

void producer::on_event(rd_kafka_event_t& e) {
  switch (rd_kafka_event_type(&e)) {
    case RD_KAFKA_EVENT_DR:
      while (const auto* const m = rd_kafka_event_message_next(&e)) on_report(*m);
      replace_when_empty();
      break;
    case RD_KAFKA_EVENT_ERROR: on_error(e); break;
    case RD_KAFKA_EVENT_STATS: {
      const char* const text = rd_kafka_event_stats(&e);
      if (text != nullptr && shows_broker_up(text)) on_alive();
      break;
    }
    case RD_KAFKA_EVENT_LOG: log_event(context_->env.log, e); break;
    case RD_KAFKA_EVENT_OAUTHBEARER_TOKEN_REFRESH:
      give_token(client_.get(), context_->opts.token_file);
      break;
    default: break;
  }
}

void producer::on_report(const rd_kafka_message_t& m) {
  const auto s = static_cast<pending_send*>(m._private)->shared_from_this();
  s->in_library = false;
  --in_library_;
  if (m.err == RD_KAFKA_RESP_ERR_NO_ERROR) on_alive();
  if (s->ended) return erase(s);
  if (m.err == RD_KAFKA_RESP_ERR_NO_ERROR) return finish(s, reply{});
  const bool sent_perhaps = rd_kafka_message_status(&m) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
  if (s->expired) return finish(s, timed_out(*s, sent_perhaps));
  const bool only_time = m.err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT;
  const bool not_its_fault = only_time || replacing_ || m.err == RD_KAFKA_RESP_ERR__FATAL ||
                             m.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE;
  if (not_its_fault && !sent_perhaps && !closed_) {
    if (!replacing_ && !state_.is_down()) produce(s);  // its own time is not over
    return;
  }
  const bool unknown = sent_perhaps && (not_its_fault || code_of(m.err) == errc::unreachable ||
                                        m.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
                                        code_of(m.err) == errc::timed_out);
  const auto code = unknown ? errc::outcome_unknown : code_of(m.err);
  finish(s,
         failure(code,
                 (unknown ? "It is not known whether topic " + s->topic + " has the message: "
                          : "Topic " + s->topic + " has not taken the message: ") +
                     explained(m.err) + ".",
                 detail_of(*s, to_string(sent_perhaps ? send_stage::sent : send_stage::refused))));
}

void producer::on_error(rd_kafka_event_t& e) {
  const auto code = rd_kafka_event_error(&e);
  const char* const given = rd_kafka_event_error_string(&e);
  const std::string text = given == nullptr ? explained(code) : to_valid_utf8(given);
  if (rd_kafka_event_error_is_fatal(&e) != 0) {
    context_->log(log_level::error,
                  "The producer of librdkafka has failed for good, and is replaced: " + text);
    replacing_ = true;
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                      RD_KAFKA_PURGE_F_NON_BLOCKING);
    return replace_when_empty();
  }
  const bool was_down = state_.is_down();
  if (!state_.on_error(code, text)) return;
  if (state_.is_down() && !was_down) on_down();
  if (const auto refused = state_.verdict()) {
    const std::vector<send_ptr> all(all_->begin(), all_->end());
    for (const auto& s : all)
      if (!s->ended)
        finish(s, failure(refused->code(), refused->message(),
                          detail_of(*s, to_string(send_stage::connecting))));
    purge_if_unwanted();
  }
  changed_();
}

auto producer::end_of_attempts(const pending_send& s) const -> instant {
  return std::max(loop_->now(), down_since_ + attempt_under_way) + time_for_attempts(s.retry);
}

void producer::on_down() {
  down_since_ = loop_->now();
  for (const auto& s : *all_) {
    if (s->ended || s->retry < 0) continue;
    s->give_up = end_of_attempts(*s);
    set_due(s);
  }
  arm();
}

void producer::on_alive() {
  const bool was_down = state_.is_down();
  if (!state_.alive()) return;
  if (was_down) {
    const std::vector<send_ptr> all(all_->begin(), all_->end());
    for (const auto& s : all) {
      if (s->ended || s->expired) continue;
      if (s->give_up) {
        s->give_up.reset();
        set_due(s);
      }
      if (!s->in_library && !replacing_) produce(s);
    }
  }
  changed_();
}

void producer::replace_when_empty() {
  if (!replacing_ || closed_ || in_library_ != 0) return;
  // In a turn of its own: this may be inside an event of the client.
  loop_->post([self = shared_from_this()] { self->replace(); });
}

void producer::replace() {
  if (!replacing_ || closed_ || in_library_ != 0) return;
  event_fd::detach(events_.get());
  wake_.reset();
  events_.reset();
  client_ = {};
  replacing_ = false;
  const std::vector<send_ptr> all(all_->begin(), all_->end());
  const auto connected = connect();
  for (const auto& s : all) {
    if (s->ended) continue;
    if (connected)
      produce(s);
    else
      finish(s, connected.error(), true);
  }
}

}  // namespace oslo::messaging::kafka
