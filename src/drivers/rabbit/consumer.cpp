#include "drivers/rabbit/consumer.hpp"

#include <algorithm>

#include "core/shown_name.hpp"
#include "core/utf8.hpp"
#include "drivers/rabbit/blame.hpp"
#include "drivers/rabbit/mismatch.hpp"
#include "protocol/amqp091/spec.hpp"

namespace oslo::messaging::rabbit {
namespace {

namespace reply_code = amqp091::reply_code;
using std::chrono::milliseconds;

constexpr amqp091::request_id uninteresting = 0;
constexpr amqp091::request_id consuming = 1;
constexpr amqp091::request_id looking_before = 2;  ///< how many consume it without us
constexpr amqp091::request_id looking_after = 3;   ///< and with us
/// The last life of a process that was killed may linger at the broker for a moment.
constexpr milliseconds pause_of_taken{1'000};
constexpr milliseconds longest_refused_pause{10'000};
/// What costs everybody the connection is tried as rarely as somebody changes a broker's settings.
constexpr milliseconds forbidden_pause{60'000};
/// What vanished between two steps of its set-up, with a node perhaps, is there again soon.
constexpr milliseconds longest_vanished_pause{1'000};
/// A set-up that lasted shorter does not count as good, so that pauses grow.
constexpr std::chrono::seconds good_after{2};
constexpr milliseconds pause_of_starved{50};
constexpr std::chrono::seconds tell_again_after{30};
/// A broker that is alive and does not answer a declaration (its object was on a node that died)
/// may never do so; a new channel may be luckier.
constexpr std::chrono::seconds set_up_limit{15};
/// Its heartbeats come from elsewhere in the broker: one that does not read goes on with them.
constexpr unsigned most_unopened = 2;

/// An acknowledgement that the broker misses, or does not expect, is no word about the queues.
/// What it misses it says of its own accord, without a method.
bool is_about_acknowledgements(const amqp091::close_reason& why) {
  if (why.code != reply_code::precondition_failed) return false;
  if (why.class_id == 0) return true;
  using amqp091::method;
  for (const auto m : {method::basic_ack, method::basic_nack, method::basic_reject})
    if (why.class_id == class_of(m) && why.method_id == method_of(m)) return true;
  return false;
}

}  // namespace

void consumer::add(channel_ptr s) {
  if (link_.is_shut()) return s->on_refused({errc::closed, "The transport was closed."});
  s->added_ = true;
  channels_.push_back(s);
  if (link_.is_open()) {
    establish(*s);
    link_.flush_later();
  } else if (const auto* verdict = link_.verdict()) {
    s->on_refused(*verdict);
  } else {
    link_.open();
  }
}

void consumer::stop_deliveries(const channel_ptr& s) {
  if (s->channel_ == 0 || !link_.is_open()) return;
  for (const auto& tag : std::exchange(s->tags_, {}))
    link_.machine().basic_cancel(s->channel_, uninteresting, tag);
  link_.flush_later();
}

void consumer::remove(const channel_ptr& s) {
  if (!s->added_) {  // refused at once, by a link that was shut: the broker has nothing of it
    s->on_removed();
    s->on_gone();
  }
  if (std::erase(channels_, s) == 0) return;
  if (s->channel_ != 0 && link_.is_open()) {
    const auto ch = s->channel_;
    for (const auto& src : s->sources_)
      if (src.private_to_us)
        link_.machine().queue_delete(ch, uninteresting, src.to.name, false, false);
    link_.machine().close_channel(ch);
    leaving_.push_back({ch, s, link_.now() + set_up_limit});
    owner_.wake_at(leaving_.back().until);
    link_.flush_later();
    lost(*s);
    s->on_removed();
    return;
  }
  lost(*s);
  s->on_removed();
  s->on_gone();
}

void consumer::everything_is_gone() {
  for (const auto& l : std::exchange(leaving_, {})) l.what->on_gone();
}

void consumer::remove_all() {
  for (const auto& s : std::vector(channels_)) remove(s);
  everything_is_gone();  // with the connection, which ends now
}

// ---- set-up -------------------------------------------------------------------------------------

void consumer::establish(consumer_channel& s) {
  s.retry_at_ = instant::max();
  s.forbidden_ = false;
  // What it would get goes back to the broker at once, which sends it again at once.
  if (s.is_ending()) return;
  s.starved_ = false;
  const auto words = "Cannot consume " + shown_name(s.sources_.front().to.name) + ": ";
  try {
    s.channel_ = link_.machine().open_channel();
  } catch (const std::length_error& e) {
    s.starved_ = true;  // until a channel is closed
    retry(s, refused_pause());
    return refused(s, {errc::limit_exceeded, words + e.what()});
  }
  try {
    request_everything(s);
  } catch (const std::logic_error& e) {
    // No broker would ever take it: a name above 255 bytes, or one that is no text.
    link_.machine().close_channel(s.channel_);
    lost(s);
    refused(s, {errc::invalid_argument, words + e.what()});
  }
}

/// One pipelined batch; the broker answers each request, or closes the channel with its verdict.
void consumer::request_everything(consumer_channel& s) {
  for (const auto& src : s.sources_) check_names(src);
  auto& machine = link_.machine();
  const auto ch = s.channel_;
  s.lifetime_ = next_lifetime_++;
  s.missing_ = s.sources_.size();
  s.ready_by_ = link_.now() + set_up_limit;
  owner_.wake_at(s.ready_by_);
  s.tags_.clear();
  s.stream_tag_.clear();
  if (by_channel_.size() <= ch) by_channel_.resize(ch + 1u);
  by_channel_[ch] = &s;
  if (s.prefetch_) machine.basic_qos(ch, uninteresting, *s.prefetch_, false);
  for (const auto& src : s.sources_) {
    const bool default_exchange = src.from.name.empty();
    if (!default_exchange)
      machine.exchange_declare(ch, uninteresting, src.from.name, src.from.type, false,
                               src.from.durable, src.from.auto_delete, {});
    // After a loss it is our own former self that may linger there.
    const bool look = src.ours_alone && !s.was_ready_;
    const auto purpose = src.is_stream ? counting_stream : look ? looking_before : uninteresting;
    machine.queue_declare(ch, purpose, src.to.name, false, src.to.durable, false,
                          src.to.auto_delete, src.to.arguments);
    if (!default_exchange)
      for (const auto& key : src.binding_keys)
        machine.queue_bind(ch, uninteresting, src.to.name, src.from.name, key);
    s.tags_.push_back(std::to_string(next_tag_++));
    auto arguments = src.consume_arguments;
    if (src.is_stream) {
      s.stream_tag_ = s.tags_.back();
      arguments.set("x-stream-offset", s.position_.argument());
    }
    machine.basic_consume(ch, consuming, src.to.name, s.tags_.back(), src.unacknowledged, false,
                          arguments);
    if (look) {  // two may have found it free at the same time
      ++s.missing_;
      machine.queue_declare(ch, looking_after, src.to.name, true, false, false, false, {});
    }
    if (!src.is_stream) continue;
    // The broker says consume-ok before it has looked up the place. What it answers after that
    // shows that nothing published from now on is missed.
    ++s.missing_;
    machine.basic_qos(ch, consuming, s.prefetch_.value_or(0), false);
  }
}

void consumer::refused(consumer_channel& s, const failure& why) {
  complain(s, why.message());
  s.on_refused(why);
}

/// What lasts is tried every second, or every few, and is a line of the log now and then.
void consumer::complain(consumer_channel& s, const std::string& text) {
  const bool news = s.told_ != text || link_.now() - s.told_at_ >= tell_again_after;
  link_.log()(news ? log_level::error : log_level::debug, "[consume] " + text);
  if (!news) return;
  s.told_ = text;
  s.told_at_ = link_.now();
}

void consumer::lost(consumer_channel& s) {
  if (s.channel_ == 0) return;
  if (s.channel_ < by_channel_.size()) by_channel_[s.channel_] = nullptr;
  s.channel_ = 0;
  s.opened_ = false;
  s.watch_.end();
  s.queues_.end();
  s.missing_ = 0;
  s.ready_by_ = instant::max();
  s.outstanding_ = 0;
  const auto since = std::exchange(s.ready_since_, instant::max());
  if (since != instant::max() && link_.now() - since >= good_after) s.backoff_.reset();
  s.on_lost();
}

void consumer::retry(consumer_channel& s, milliseconds pause) {
  s.retry_at_ = link_.now() + pause;
  owner_.wake_at(s.retry_at_);
}

void consumer::consume_again(consumer_channel& s) {
  link_.machine().close_channel(s.channel_);
  lost(s);
  retry(s, s.backoff_.next());
}

milliseconds consumer::refused_pause() {
  const auto half = static_cast<std::uint64_t>(longest_refused_pause.count() / 2);
  return longest_refused_pause / 2 + milliseconds(random_.below(half + 1));
}

void consumer::give_up_late(instant now) {
  while (!leaving_.empty() && leaving_.front().until <= now) {
    const auto gone = std::move(leaving_.front().what);
    leaving_.erase(leaving_.begin());
    gone->on_gone();
  }
  for (const auto& s : std::vector(channels_)) {
    if (s->ready_by_ > now) continue;
    if (!s->opened_ && ++s->unopened_ == most_unopened) {
      s->unopened_ = 0;
      return link_.renew(
          failure(errc::unreachable, link_.broker_name() + " has opened no channel"));
    }
    link_.log()(log_level::warning, "[consume] " + link_.broker_name() +
                                        " did not set up the consumers of " +
                                        s->sources_.front().to.name + " within " +
                                        std::to_string(set_up_limit.count()) + " s; trying again.");
    consume_again(*s);
  }
}

/// One that is gone costs the channel, and then everything of it is set up again.
void consumer::look_at_queues(instant now) {
  for (const auto& s : channels_) {
    if (s->is_ending()) s->queues_.end();
    if (s->queues_.due() > now) continue;
    s->queues_.looked(now);
    owner_.wake_at(s->queues_.due());
    for (const auto& src : s->sources_)
      if (!src.to.durable)
        link_.machine().queue_declare(s->channel_, uninteresting, src.to.name, true, false, false,
                                      false, {});
    link_.flush_later();
  }
}

void consumer::on_tick(instant now) {
  if (!link_.is_open()) return;  // `link_up` sets up everything
  give_up_late(now);
  if (!link_.is_open()) return;
  for (const auto& s : std::vector(channels_))
    if (s->retry_at_ <= now && s->channel_ == 0) establish(*s);
  look_at_queues(now);
  look_at_streams(now);
  flush_acks();
}

consumer::instant consumer::next_deadline() const {
  auto next = link_.is_open() ? acks_due_ : instant::max();
  if (link_.is_open())
    for (const auto& s : channels_)
      next = std::min({next, s->retry_at_, s->ready_by_, s->watch_.due(), s->queues_.due()});
  if (!leaving_.empty()) next = std::min(next, leaving_.front().until);
  return next;
}

void consumer::link_up() {
  for (const auto& s : std::vector(channels_))
    if (!s->forbidden_ || s->retry_at_ <= link_.now()) establish(*s);
}

/// The connection ended over something that was being set up. The broker does not say what, except
/// that it is a channel, which was none of those that it had given before, or a queue that is not
/// durable. What was set up before has been good enough once.
std::vector<channel_ptr> consumer::ended_by(const net::link_loss& loss) const {
  std::vector<channel_ptr> all;
  if (!loss.closed) return all;
  if (finds_no_channel(*loss.closed)) {
    for (const auto& s : channels_)
      if (s->channel_ != 0 && !s->opened_) all.push_back(s);
    return all;
  }
  if (!is_final(*loss.closed)) return all;
  const bool transient = forbids_transient_queues(*loss.closed);
  const auto is_transient = [](const source& src) { return !src.to.durable; };
  for (const auto& s : channels_)
    if (s->missing_ != 0 && (!transient || std::ranges::any_of(s->sources_, is_transient)))
      all.push_back(s);
  const auto was_ready = [](const channel_ptr& s) { return s->was_ready_; };
  if (!transient && !std::ranges::all_of(all, was_ready)) std::erase_if(all, was_ready);
  return all;
}

void consumer::link_down(const net::link_loss& loss) {
  lost_a_link_ |= loss.was_open;
  noted_acks_ = 0;
  acks_due_ = instant::max();
  const auto guilty = ended_by(loss);
  for (const auto& s : std::vector(channels_)) {
    lost(*s);
    if (std::ranges::find(guilty, s) != guilty.end()) {
      s->forbidden_ = true;
      retry(*s, forbidden_pause);
      refused(*s, explained(net::to_failure(*loss.closed, link_.broker_name())));
    } else if (loss.verdict)
      s->on_refused(loss.why);
    else if (!loss.was_open)
      s->on_unreachable(loss);
  }
  by_channel_.clear();
  everything_is_gone();
}

channel_ptr consumer::find(amqp091::channel_id ch) const {
  for (const auto& s : channels_)
    if (s->channel_ == ch) return s;
  return nullptr;
}

void consumer::on_channel_open(amqp091::channel_id ch) {
  if (auto* const s = at(ch)) {
    s->opened_ = true;
    s->unopened_ = 0;
  }
}

void consumer::on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) {
  const auto left = std::find_if(leaving_.begin(), leaving_.end(),
                                 [ch](const auto& l) { return l.channel == ch; });
  if (left != leaving_.end()) {
    const auto gone = std::move(left->what);
    leaving_.erase(left);
    gone->on_gone();
  } else if (const auto s = find(ch)) {
    const auto reason = explained(net::to_failure(why, link_.broker_name()));
    lost(*s);
    if (net::is_verdict(reason.code()) && !is_about_acknowledgements(why)) {
      retry(*s, refused_pause());
      refused(*s, reason);
    } else {
      complain(*s, s->sources_.front().to.name + ": " + reason.message());
      const auto pause = s->backoff_.next();
      retry(*s,
            why.code == reply_code::not_found ? std::min(pause, longest_vanished_pause) : pause);
    }
  }
  // Not at once: the owner of one that was refused may be about to give it up.
  for (const auto& s : channels_)
    if (std::exchange(s->starved_, false)) retry(*s, pause_of_starved);
}

/// Two processes that read one queue would each get half of what is meant for one of them. False:
/// it has lost its channel, and its owner may have removed it.
bool consumer::is_alone(consumer_channel& s, amqp091::request_id request, std::string_view queue,
                        std::uint32_t consumers) {
  const std::uint32_t ours = request == looking_after ? 1 : 0;
  if (consumers <= ours) return true;
  const failure why(errc::access_refused,
                    "Cannot consume " + to_one_line(queue) + ": another process at " +
                        link_.broker_name() +
                        " consumes it. With use_queue_manager each process needs a hostname and "
                        "processname of its own, unless all share one /dev/shm.");
  link_.machine().close_channel(s.channel_);
  lost(s);
  const auto half = static_cast<std::uint64_t>(pause_of_taken.count() / 2);
  retry(s, pause_of_taken / 2 + milliseconds(random_.below(half + 1)));
  if (++s.taken_ == 1)
    link_.log()(log_level::warning, "[consume] " + why.message() + " Trying again.");
  else
    refused(s, why);
  return false;
}

void consumer::on_request_ok(amqp091::channel_id ch, amqp091::request_id request,
                             std::string_view name, std::uint32_t messages,
                             std::uint32_t consumers) {
  auto* s = request == uninteresting ? nullptr : at(ch);
  if (s == nullptr) return;
  if (request == counting_stream) return counted(*s, messages);
  if (request != consuming && !is_alone(*s, request, name, consumers)) return;
  if (request == looking_before || s->missing_ == 0 || --s->missing_ != 0) return;
  s->ready_by_ = instant::max();
  const auto is_transient = [](const source& src) { return !src.to.durable; };
  if ((lost_a_link_ || s->was_ready_) && std::ranges::any_of(s->sources_, is_transient)) {
    s->queues_.begin(link_.now());
    owner_.wake_at(s->queues_.due());
  }
  s->was_ready_ = true;
  s->taken_ = 0;
  s->ready_since_ = link_.now();
  const auto since = stream_position::wall_clock::now();
  s->position_.reading_since(since);
  if (const auto next = s->position_.next()) {
    s->watch_.begin(link_.now(), *next, since);
    owner_.wake_at(s->watch_.due());
  }
  s->on_ready();
}

/// A queue was deleted or moved under us: everything of that listener is set up again.
void consumer::on_consumer_cancelled(amqp091::channel_id ch, std::string_view tag) {
  const auto s = find(ch);
  if (!s || s->is_ending()) return;
  link_.log()(log_level::warning, "[consume] The broker " + link_.broker_name() +
                                      " cancelled a consumer of " + s->sources_.front().to.name +
                                      "; consuming again.");
  // Most likely the stream was deleted: its offsets begin anew.
  if (tag == s->stream_tag_) s->position_.restart(stream_position::wall_clock::now());
  consume_again(*s);
}

}  // namespace oslo::messaging::rabbit
