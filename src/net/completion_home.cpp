#include <condition_variable>
#include <mutex>
#include <oslo/messaging/detail/completion_home.hpp>

#include "core/hidden.hpp"
#include "net/adaptor_context.hpp"

namespace oslo::messaging::detail {

namespace asio = boost::asio;

/// The waiting completions of one context. Outlives it: a completion may come late.
class OSLO_HIDDEN completion_home {
 public:
  static std::shared_ptr<completion_home> of(asio::execution_context& context);

  bool add(waiting_completion& c) {
    const std::lock_guard lock(mutex_);
    if (ended_) return false;
    c.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &c;
    first_ = &c;
    return true;
  }

  bool claim(waiting_completion& c) {
    std::shared_ptr<waiting_completion> self;  // released without the lock
    const std::lock_guard lock(mutex_);
    // Once the context ends nobody waits for those who begin to use it.
    if (!c.self_ || ended_) return false;
    self = remove(c);
    ++claimed_;
    return true;
  }

  void left() noexcept {
    const std::lock_guard lock(mutex_);
    if (--claimed_ == 0 && ended_) all_left_.notify_all();
  }

  /// The context ends: whoever is completing something in it may finish, all others are dropped.
  void end() noexcept {
    std::unique_lock lock(mutex_);
    ended_ = true;
    all_left_.wait(lock, [this] { return claimed_ == 0; });
    while (first_ != nullptr) {
      const auto dropped = remove(*first_);
      lock.unlock();
      dropped->drop();  // may end what others here belong to
      lock.lock();
    }
  }

 private:
  std::shared_ptr<waiting_completion> remove(waiting_completion& c) {
    if (c.next_ != nullptr) c.next_->previous_ = c.previous_;
    (c.previous_ != nullptr ? c.previous_->next_ : first_) = c.next_;
    c.next_ = c.previous_ = nullptr;
    return std::exchange(c.self_, nullptr);
  }

  std::mutex mutex_;
  std::condition_variable all_left_;
  waiting_completion* first_ = nullptr;
  std::size_t claimed_ = 0;
  bool ended_ = false;
};

namespace {

class home_service final : public asio::execution_context::service {
 public:
  using key_type = home_service;
  static asio::execution_context::id id;
  explicit home_service(asio::execution_context& context)
      : asio::execution_context::service(context) {}
  void shutdown() noexcept override { home->end(); }

  const std::shared_ptr<completion_home> home = std::make_shared<completion_home>();
};
asio::execution_context::id home_service::id;

}  // namespace

std::shared_ptr<completion_home> completion_home::of(asio::execution_context& context) {
  if (&context == &net::adaptor_context()) return nullptr;  // an adaptor keeps what it runs on
  return asio::use_service<home_service>(context).home;
}

bool waiting_completion::enter(asio::execution_context& context) {
  auto home = completion_home::of(context);
  if (!home) {
    self_.reset();
    return true;
  }
  if (!home->add(*this)) return false;
  home_ = std::move(home);
  return true;
}

bool waiting_completion::claim() {
  return !home_ || home_->claim(*this);
}

void waiting_completion::left() noexcept {
  if (home_) home_->left();
}

}  // namespace oslo::messaging::detail
