#include "subscription.hpp"

#include <algorithm>
#include <utility>

namespace oslo::messaging::python {

subscription::~subscription() {
  waiting_.clear();  // gives them back, while the listener is there
}

void subscription::open(opener o) {
  loop_->post([self = shared_from_this(), o = std::move(o)] {
    const auto fail = [&](failure why) {
      self->confirmed_->complete(std::move(why));
      self->end();
    };
    try {
      self->listener_ = o(self->bus_.driver());
    } catch (const messaging_error& e) {
      return fail(e.failure());
    } catch (const std::exception& e) {
      return fail(failure(errc::broker_error, e.what()));
    }
    self->listener_->ready([self](result<void> r) {
      if (r)
        self->confirmed_->complete(std::string());
      else
        self->confirmed_->complete(r.error());
    });
    {
      const std::lock_guard lock(self->mutex_);
      self->pulling_ = true;
    }
    self->pull();
  });
}

/// On the loop, with `pulling_` set.
void subscription::pull() {
  listener_->next(most, [weak = weak_from_this()](incoming_batch batch) {
    if (const auto self = weak.lock()) self->arrived(std::move(batch));
  });
}

/// On the loop.
void subscription::arrived(incoming_batch batch) {
  if (batch.empty()) return end();
  if (acknowledge_)
    for (const auto& m : batch) m->acknowledge();
  bool more;
  {
    const std::lock_guard lock(mutex_);
    for (auto& m : batch) waiting_.push_back(std::move(m));
    more = pulling_ = waiting_.size() < most;
    changed();
  }
  if (more) pull();
}

void subscription::end() {
  const std::lock_guard lock(mutex_);
  pulling_ = false;
  ended_ = true;
  changed();
}

incoming_batch subscription::take(std::size_t max) {
  incoming_batch taken;
  const std::lock_guard lock(mutex_);
  const auto n = std::min(max, waiting_.size());
  taken.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    taken.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  if (!pulling_ && !ended_ && !stopping_ && waiting_.size() <= most / 2) {
    pulling_ = true;
    loop_->post([self = shared_from_this()] { self->pull(); });
  }
  return taken;
}

void subscription::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(stopping_, true)) return;
    changed();
  }
  loop_->post([self = shared_from_this()] {
    if (self->listener_) self->listener_->stop();  // ends the pull that is under way
    bool pulling;
    {
      const std::lock_guard lock(self->mutex_);
      pulling = self->pulling_;
    }
    if (!pulling) self->end();
  });
}

std::shared_ptr<pending> subscription::gone() {
  auto done = std::make_shared<pending>();
  loop_->post([self = shared_from_this(), done] {
    if (!self->listener_) return done->complete(std::string());
    self->listener_->when_gone([done] { done->complete(std::string()); });
  });
  return done;
}

}  // namespace oslo::messaging::python
