#include "testing/traffic.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "core/send_stage.hpp"

namespace oslo::messaging::testing {
namespace {

failure offline_failure(const target& to) {
  return {errc::unreachable,
          "The message to " + to_string(to) + " was not sent: the bus is offline."};
}

}  // namespace

void traffic::send(recorded_message m, const void* sender, send_options o, send_completion done,
                   forward go) {
  std::optional<failure> fault;
  if (!faults_.empty()) {
    fault = std::move(faults_.front());
    faults_.pop_front();
  } else if (!online_ && o.retry == 0) {
    fault = offline_failure(m.to);
  }
  m.fault = fault;
  const target to = m.to;
  record(std::move(m));
  if (fault)
    loop_->post([done = std::move(done), f = *std::move(fault)]() mutable { done(std::move(f)); });
  else if (online_)
    go(std::move(o), std::move(done));
  else
    hold(to, sender, std::move(o), std::move(done), std::move(go));
}

void traffic::hold(const target& to, const void* sender, send_options o, send_completion done,
                   forward go) {
  held& h = held_.emplace_back();
  h.id = ++last_id_;
  h.sender = sender;
  h.options = std::move(o);
  h.done = std::move(done);
  h.go = std::move(go);
  h.destination = to_string(to);
  h.since = loop_->now();
  const auto id = h.id;
  if (h.options.timeout)
    h.timer = loop_->run_at(h.since + *h.options.timeout, [weak = weak_from_this(), id] {
      if (const auto self = weak.lock())
        self->end(id, [](const held& late) {
          failure_detail detail;
          detail.stage = to_string(send_stage::connecting);
          detail.destination = late.destination;
          detail.elapsed = *late.options.timeout;
          return failure(errc::timed_out,
                         "The message to " + late.destination +
                             " waited for the bus, which is "
                             "offline.",
                         std::move(detail));
        });
    });
  if (h.options.cancel.stop_possible())
    h.on_cancel = std::make_unique<std::stop_callback<give_up>>(h.options.cancel,
                                                                give_up{weak_from_this(), id});
}

void traffic::give_up::operator()() const {
  const auto self = where.lock();
  if (!self) return;
  self->loop_->post([self, held_id = id] {
    self->end(held_id, [](const held&) {
      return failure(errc::cancelled, "The send was cancelled while the bus was offline.");
    });
  });
}

void traffic::end(std::uint64_t id, const std::function<failure(const held&)>& why) {
  const auto found =
      std::find_if(held_.begin(), held_.end(), [id](const held& h) { return h.id == id; });
  if (found == held_.end()) return;
  std::list<held> ended;
  ended.splice(ended.begin(), held_, found);
  loop_->cancel(ended.front().timer);
  ended.front().done(why(ended.front()));
}

void traffic::abandon(const void* sender) {
  std::erase_if(watchers_, [sender](const auto& w) { return w.first == sender; });
  std::vector<std::uint64_t> ids;
  for (const auto& h : held_)
    if (h.sender == sender) ids.push_back(h.id);
  for (const auto id : ids)
    end(id, [](const held&) { return failure(errc::closed, "The transport was closed."); });
}

void traffic::drop_replies(std::size_t count) {
  const std::lock_guard lock(mutex_);
  replies_to_drop_ += count;
}

void traffic::pass(unique_function<void()> deliver) {
  {
    const std::lock_guard lock(mutex_);
    if (replies_to_drop_ > 0) {
      --replies_to_drop_;
      return;
    }
    if (!online_) {
      held_replies_.push_back(std::move(deliver));
      return;
    }
  }
  deliver();
}

void traffic::go_offline() {
  {
    const std::lock_guard lock(mutex_);
    if (!online_.exchange(false)) return;
  }
  tell_watchers();
}

void traffic::go_online() {
  std::vector<unique_function<void()>> replies;
  {
    const std::lock_guard lock(mutex_);
    if (online_.exchange(true)) return;
    replies.swap(held_replies_);
  }
  std::list<held> waiting;
  waiting.swap(held_);
  for (auto& deliver : replies) deliver();
  for (auto& h : waiting) {
    loop_->cancel(h.timer);
    if (h.options.timeout)
      *h.options.timeout -=
          std::chrono::duration_cast<std::chrono::milliseconds>(loop_->now() - h.since);
    h.on_cancel.reset();
    h.go(std::move(h.options), std::move(h.done));
  }
  tell_watchers();
}

void traffic::watch(const void* sender, std::function<void()> changed) {
  std::erase_if(watchers_, [sender](const auto& w) { return w.first == sender; });
  watchers_.emplace_back(sender, std::move(changed));
}

void traffic::tell_watchers() {
  const auto now = watchers_;  // a watcher may close its transport
  for (const auto& [sender, changed] : now) changed();
}

void traffic::record(recorded_message m) {
  const std::lock_guard lock(mutex_);
  records_.push_back(std::move(m));
  changed_.notify_all();
}

std::vector<recorded_message> traffic::sent() const {
  const std::lock_guard lock(mutex_);
  return records_;
}

std::vector<recorded_message> traffic::wait_for_sent(std::size_t count,
                                                     std::chrono::milliseconds limit) const {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, limit, [&] { return records_.size() >= count; })) return records_;
  std::string text = "Waited " + std::to_string(limit.count()) + " ms for " +
                     std::to_string(count) + " messages; sent were " +
                     std::to_string(records_.size());
  for (const auto& m : records_) text += "\n  " + to_string(m);
  throw messaging_error({errc::timed_out, text});
}

void traffic::forget() {
  const std::lock_guard lock(mutex_);
  records_.clear();
}

}  // namespace oslo::messaging::testing
