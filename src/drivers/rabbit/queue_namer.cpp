#include "drivers/rabbit/queue_namer.hpp"

#include <stdexcept>
#include <system_error>
#include <utility>

#include "core/unique_id.hpp"

namespace oslo::messaging::rabbit {
namespace {

/// oslo.concurrency looks again as often.
constexpr std::chrono::milliseconds look_again_after{10};

}  // namespace

void queue_namer::name(completion done, instant now) {
  if (!stable_) return done(unique_id());
  waiting_.push_back({std::move(done), now + lock_limit});
  if (waiting_.size() == 1) serve(now);
}

void queue_namer::on_tick(instant now) {
  if (now >= next_deadline()) serve(now);
}

queue_namer::instant queue_namer::next_deadline() const noexcept {
  return waiting_.empty() ? instant::max() : look_again_;
}

void queue_namer::give_up() {
  for (auto& w : std::exchange(waiting_, {})) w.done(unique_id());
}

/// Nothing: not yet.
std::optional<std::string> queue_namer::next(instant until, instant now) const {
  try {
    auto unique = next_name(*stable_);
    if (!unique && now >= until)
      throw std::runtime_error("cannot lock " + stable_->lock + ": " +
                               std::generic_category().message(ETIMEDOUT));
    return unique;
  } catch (const std::exception& e) {
    log_(log_level::warning,
         std::string("use_queue_manager: a queue gets a random name, because this process ") +
             e.what() + ".");
  }
  return unique_id();
}

void queue_namer::serve(instant now) {
  while (!waiting_.empty()) {
    auto unique = next(waiting_.front().until, now);
    if (!unique) {
      look_again_ = now + look_again_after;
      return;
    }
    auto done = std::move(waiting_.front().done);
    waiting_.pop_front();
    done(std::move(*unique));
  }
}

}  // namespace oslo::messaging::rabbit
