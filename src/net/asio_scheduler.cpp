#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <memory>
#include <oslo/messaging/asio.hpp>
#include <utility>

#include "core/tasks/handover.hpp"
#include "net/asio_loop.hpp"
#include "net/timer_queue.hpp"

namespace oslo::messaging {
namespace {

namespace asio = boost::asio;

/// How long other threads of a context may be busy before one that is about to wait counts as the
/// only one.
constexpr std::chrono::seconds longest_busy{2};

template <class... Inner>
bool open_strand(asio::any_io_executor& ex) {
  const auto open = [&ex]<class I>(std::type_identity<I>) {
    const auto* s = ex.target<asio::strand<I>>();
    if (s == nullptr) return false;
    const I inner = s->get_inner_executor();
    ex = inner;
    return true;
  };
  return (open(std::type_identity<Inner>{}) || ...);
}

/// True when this thread is running the context of `ex`, or may have done so a moment ago.
bool runs_here(asio::any_io_executor ex) {
  while (open_strand<asio::any_io_executor, asio::io_context::executor_type,
                     asio::thread_pool::executor_type>(ex)) {
  }
  const auto ran = std::make_shared<std::atomic<bool>>(false);
  asio::dispatch(ex, [ran] { *ran = true; });  // at once only in a thread of the context
  return *ran;
}

/// A strand over an executor of the application.
class strand_loop final : public net::asio_loop {
 public:
  strand_loop(asio::any_io_executor ex, logger log)
      : ex_(std::move(ex)),
        strand_(asio::make_strand(ex_)),
        timers_(std::make_shared<net::timer_queue>(strand_)),
        log_(std::make_shared<const logger>(std::move(log))) {}
  ~strand_loop() override {
    asio::post(strand_, [timers = timers_] { timers->shut_down(); });
  }

  time_point now() const override { return clock::now(); }
  void post(unique_function<void()> work) override { asio::post(strand_, logged(std::move(work))); }
  timer_id run_at(time_point when, unique_function<void()> work) override {
    return timers_->add(when, logged(std::move(work)));
  }
  void cancel(timer_id id) override { timers_->cancel(id); }
  bool running_here() const noexcept override { return strand_.running_in_this_thread(); }
  bool may_wait_here() const override {
    if (running_here()) return false;
    if (!runs_here(ex_)) return true;
    const auto moved = std::make_shared<handover<bool>>();
    asio::post(strand_, [moved] { moved->put(true); });
    return moved->take(longest_busy).has_value();
  }
  asio::any_io_executor executor() override { return strand_; }

 private:
  unique_function<void()> logged(unique_function<void()> work) const {
    return [work = std::move(work), log = log_]() mutable {
      try {
        work();
      } catch (...) {
        net::log_thrown(*log);
      }
    };
  }

  const asio::any_io_executor ex_;
  asio::strand<asio::any_io_executor> strand_;
  std::shared_ptr<net::timer_queue> timers_;
  std::shared_ptr<const logger> log_;
};

}  // namespace

std::shared_ptr<scheduler> asio_scheduler(boost::asio::any_io_executor ex, logger log) {
  return std::make_shared<strand_loop>(std::move(ex), std::move(log));
}

}  // namespace oslo::messaging
