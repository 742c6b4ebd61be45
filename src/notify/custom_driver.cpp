#include <atomic>
#include <memory>
#include <oslo/messaging/detail/current_failure.hpp>
#include <string>
#include <utility>

#include "core/tasks/one_answer.hpp"
#include "notify/drivers.hpp"

namespace oslo::messaging::notify {
namespace {

/// Messages that a driver may owe an answer for, as a transport may for its bus.
constexpr std::size_t most_unanswered = 200'000;

using answer = one_answer<result<void>>;

failure dropped() {
  return {errc::not_sent,
          "A custom notification driver has dropped the message without an answer."};
}

class custom_driver_impl final : public notification_driver {
 public:
  custom_driver_impl(std::shared_ptr<const notification_driver> d, std::shared_ptr<scheduler> loop)
      : driver_(std::move(d)), loop_(std::move(loop)) {}

  void notify(const outgoing_notification& n,
              unique_function<void(result<void>)> done) const override {
    if (unanswered_->fetch_add(1) >= most_unanswered) {
      --*unanswered_;
      return done(failure(errc::limit_exceeded, "A custom notification driver owes answers for " +
                                                    std::to_string(most_unanswered) +
                                                    " messages."));
    }
    const auto a = std::make_shared<answer>(
        loop_,
        [loop = loop_, count = unanswered_, done = std::move(done)](result<void> r) mutable {
          --*count;
          done(std::move(r));
        },
        dropped);
    a->limit(n.timeout, n.cancel, "A custom notification driver");
    try {
      driver_->notify(n, a->taker());
    } catch (...) {
      a->give(messaging::detail::current_failure(errc::not_sent,
                                                 "A custom notification driver has failed"));
    }
    a->returned();
  }

 private:
  const std::shared_ptr<const notification_driver> driver_;
  const std::shared_ptr<scheduler> loop_;
  const std::shared_ptr<std::atomic<std::size_t>> unanswered_ =
      std::make_shared<std::atomic<std::size_t>>(0);
};

}  // namespace

std::shared_ptr<const notification_driver> custom_driver(
    std::shared_ptr<const notification_driver> d, std::shared_ptr<scheduler> loop) {
  return std::make_shared<custom_driver_impl>(std::move(d), std::move(loop));
}

}  // namespace oslo::messaging::notify
