#include <memory>
#include <mutex>
#include <oslo/messaging/detail/current_failure.hpp>
#include <utility>

#include "notify/drivers.hpp"

namespace oslo::messaging::notify {
namespace {

/// The one answer of a driver to one message. Thread safety: any thread.
class one_answer {
 public:
  one_answer(std::shared_ptr<scheduler> loop, unique_function<void(result<void>)> done)
      : loop_(std::move(loop)), done_(std::move(done)) {}

  void give(result<void> r) {
    auto done = take();
    if (!done) return;
    if (loop_->running_here()) return done(std::move(r));
    loop_->post([done = std::move(done), r = std::move(r)]() mutable { done(std::move(r)); });
  }
  /// The driver has let go of its `done`. While it runs, it may be about to throw, which says more.
  void let_go() {
    {
      const std::lock_guard lock(mutex_);
      if (running_) return void(let_go_ = true);
    }
    give(failure(errc::not_sent,
                 "A custom notification driver has dropped the message without an answer."));
  }
  void returned() {
    {
      const std::lock_guard lock(mutex_);
      running_ = false;
      if (!let_go_) return;
    }
    let_go();
  }

 private:
  unique_function<void(result<void>)> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(done_, {});
  }

  const std::shared_ptr<scheduler> loop_;
  std::mutex mutex_;
  unique_function<void(result<void>)> done_;
  bool running_ = true;
  bool let_go_ = false;
};

/// What the driver calls, and what is told when it never does.
class last_word {
 public:
  explicit last_word(std::shared_ptr<one_answer> a) : answer_(std::move(a)) {}
  last_word(last_word&&) noexcept = default;
  last_word& operator=(last_word&&) = delete;
  ~last_word() {
    if (answer_) answer_->let_go();
  }
  void operator()(result<void> r) { answer_->give(std::move(r)); }

 private:
  std::shared_ptr<one_answer> answer_;
};

class custom_driver_impl final : public notification_driver {
 public:
  custom_driver_impl(std::shared_ptr<const notification_driver> d, std::shared_ptr<scheduler> loop)
      : driver_(std::move(d)), loop_(std::move(loop)) {}

  void notify(const outgoing_notification& n,
              unique_function<void(result<void>)> done) const override {
    const auto answer = std::make_shared<one_answer>(loop_, std::move(done));
    try {
      driver_->notify(n, last_word(answer));
    } catch (...) {
      answer->give(messaging::detail::current_failure(errc::not_sent,
                                                      "A custom notification driver has failed"));
    }
    answer->returned();
  }

 private:
  const std::shared_ptr<const notification_driver> driver_;
  const std::shared_ptr<scheduler> loop_;
};

}  // namespace

std::shared_ptr<const notification_driver> custom_driver(
    std::shared_ptr<const notification_driver> d, std::shared_ptr<scheduler> loop) {
  return std::make_shared<custom_driver_impl>(std::move(d), std::move(loop));
}

}  // namespace oslo::messaging::notify
