// What code of the application is asked for, and owes one answer to.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/scheduler.hpp>
#include <stop_token>
#include <string>
#include <utility>

#include "core/saturating.hpp"
#include "core/tasks/guarded.hpp"

namespace oslo::messaging {

/// Gives `done` one answer on the loop, never inside of the other code, whatever that does: it
/// may answer twice or on any thread, throw, let go of its `taker` without an answer, or keep it
/// for ever (`limit`). When the loop is gone there is none.
///
/// Share it by shared_ptr. Thread safety: any thread.
template <class A>
class one_answer final : public std::enable_shared_from_this<one_answer<A>> {
 public:
  /// `done` may be empty. `unanswered` makes the answer of code that lets go.
  one_answer(std::weak_ptr<scheduler> loop, unique_function<void(A)> done,
             unique_function<A()> unanswered)
      : loop_(std::move(loop)), done_(std::move(done)), unanswered_(std::move(unanswered)) {}

  /// Before the other code is asked: it may take so long, and until it is cancelled, and `grace`
  /// more for an answer of its own about that. `who` begins the sentences that say so.
  void limit(std::optional<std::chrono::milliseconds> most, const std::stop_token& cancel,
             const std::string& who, std::chrono::milliseconds grace = {}) {
    const auto loop = loop_.lock();
    if (!loop) return;
    if (most) {
      const auto id =
          give_at(*loop, saturating_add(*most, grace), errc::timed_out,
                  who + " has not answered within " + std::to_string(most->count()) + " ms.");
      const std::lock_guard lock(mutex_);
      timer_ = id;
    }
    if (cancel.stop_possible())
      on_cancel_.emplace(cancel, [weak = this->weak_from_this(), grace, who] {
        const auto self = weak.lock();
        if (!self) return;
        const auto text = who + " had not answered when it was cancelled.";
        if (const auto l = self->loop_.lock(); l && grace.count() > 0)
          self->give_at(*l, grace, errc::cancelled, text);
        else
          self->give(failure(errc::cancelled, text));
      });
  }
  /// For the other code, once.
  unique_function<void(A)> taker() { return last_word(this->shared_from_this()); }
  /// The first one counts.
  void give(A a) {
    unique_function<void(A)> done;
    auto timer = scheduler::timer_id::none;
    bool early = false;
    {
      const std::lock_guard lock(mutex_);
      done = std::exchange(done_, {});
      timer = timer_;
      early = running_;
    }
    const auto loop = loop_.lock();
    if (!done || !loop) return;
    if (timer != scheduler::timer_id::none) loop->cancel(timer);
    if (!early && loop->running_here()) return call_guarded(*loop, done, std::move(a));
    loop->post([done = std::move(done), a = std::move(a)]() mutable { done(std::move(a)); });
  }
  /// The other code has returned, or has thrown, which was its answer.
  void returned() {
    {
      const std::lock_guard lock(mutex_);
      running_ = false;
      if (!let_go_) return;
    }
    give(unanswered_());
  }

 private:
  class last_word {
   public:
    explicit last_word(std::shared_ptr<one_answer> a) noexcept : answer_(std::move(a)) {}
    last_word(last_word&&) noexcept = default;
    last_word& operator=(last_word&&) = delete;
    ~last_word() {
      if (answer_) answer_->let_go();
    }
    void operator()(A a) { answer_->give(std::move(a)); }

   private:
    std::shared_ptr<one_answer> answer_;
  };

  scheduler::timer_id give_at(scheduler& loop, std::chrono::milliseconds from_now, errc code,
                              const std::string& text) {
    const auto when = deadline_after(loop.now(), from_now);
    if (!when) return scheduler::timer_id::none;
    return loop.run_at(*when, [weak = this->weak_from_this(), why = failure(code, text)] {
      if (const auto self = weak.lock()) self->give(why);
    });
  }
  /// While the other code runs it may be about to throw, which says more.
  void let_go() {
    {
      const std::lock_guard lock(mutex_);
      if (running_) return void(let_go_ = true);
      if (!done_) return;
    }
    give(unanswered_());
  }

  const std::weak_ptr<scheduler> loop_;
  std::mutex mutex_;
  unique_function<void(A)> done_;
  unique_function<A()> unanswered_;
  scheduler::timer_id timer_ = scheduler::timer_id::none;
  std::optional<std::stop_callback<unique_function<void()>>> on_cancel_{};
  bool running_ = true;
  bool let_go_ = false;
};

}  // namespace oslo::messaging
