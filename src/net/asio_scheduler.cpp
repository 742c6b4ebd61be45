#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <oslo/messaging/asio.hpp>
#include <utility>

#include "net/asio_loop.hpp"
#include "net/timer_queue.hpp"

namespace oslo::messaging {
namespace {

namespace asio = boost::asio;

/// A strand over an executor of the application.
class strand_loop final : public net::asio_loop {
 public:
  explicit strand_loop(asio::any_io_executor ex)
      : strand_(asio::make_strand(std::move(ex))),
        timers_(std::make_shared<net::timer_queue>(strand_)) {}
  ~strand_loop() override {
    asio::post(strand_, [timers = timers_] { timers->shut_down(); });
  }

  time_point now() const override { return clock::now(); }
  void post(unique_function<void()> work) override { asio::post(strand_, std::move(work)); }
  void dispatch(unique_function<void()> work) override { asio::dispatch(strand_, std::move(work)); }
  timer_id run_at(time_point when, unique_function<void()> work) override {
    return timers_->add(when, std::move(work));
  }
  void cancel(timer_id id) override { timers_->cancel(id); }
  bool running_here() const noexcept override { return strand_.running_in_this_thread(); }
  asio::any_io_executor executor() override { return strand_; }

 private:
  asio::strand<asio::any_io_executor> strand_;
  std::shared_ptr<net::timer_queue> timers_;
};

}  // namespace

std::shared_ptr<scheduler> asio_scheduler(boost::asio::any_io_executor ex) {
  return std::make_shared<strand_loop>(std::move(ex));
}

}  // namespace oslo::messaging
