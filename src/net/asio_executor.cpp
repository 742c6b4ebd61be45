// Executors of the application for handlers, and our loops and executors as Asio executors.
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/error.hpp>
#include <utility>

#include "net/adaptor_context.hpp"
#include "net/asio_loop.hpp"

namespace oslo::messaging {
namespace {

namespace asio = boost::asio;

class application_executor final : public executor {
 public:
  application_executor(asio::any_io_executor ex, std::size_t concurrency)
      : ex_(std::move(ex)), concurrency_(concurrency) {}
  void execute(unique_function<void()> work) override { asio::post(ex_, std::move(work)); }
  std::size_t concurrency() const noexcept override { return concurrency_; }
  const asio::any_io_executor& wrapped() const noexcept { return ex_; }

 private:
  asio::any_io_executor ex_;
  std::size_t concurrency_;
};

void run_on(scheduler& loop, unique_function<void()> work, bool may_block) {
  if (may_block)
    loop.dispatch(std::move(work));
  else
    loop.post(std::move(work));
}
void run_on(executor& e, unique_function<void()> work, bool) {
  e.execute(std::move(work));
}

/// The least that Asio asks of an executor, over a `scheduler` or an `executor` of ours.
template <class Runner>
class adaptor {
 public:
  explicit adaptor(std::shared_ptr<Runner> runner) noexcept : runner_(std::move(runner)) {}

  asio::execution_context& query(asio::execution::context_t) const noexcept {
    return net::adaptor_context();
  }
  asio::execution::blocking_t query(asio::execution::blocking_t) const noexcept {
    return may_block_ ? asio::execution::blocking_t(asio::execution::blocking.possibly)
                      : asio::execution::blocking_t(asio::execution::blocking.never);
  }
  adaptor require(asio::execution::blocking_t::possibly_t) const { return with(true); }
  adaptor require(asio::execution::blocking_t::never_t) const { return with(false); }

  template <class F>
  void execute(F&& f) const {
    run_on(*runner_, unique_function<void()>(std::forward<F>(f)), may_block_);
  }
  bool operator==(const adaptor& other) const noexcept = default;

 private:
  adaptor with(bool may_block) const {
    adaptor copy(*this);
    copy.may_block_ = may_block;
    return copy;
  }

  std::shared_ptr<Runner> runner_;
  bool may_block_ = true;
};

}  // namespace

asio::execution_context& net::adaptor_context() {
  static asio::execution_context context;
  return context;
}

std::shared_ptr<executor> asio_executor(asio::any_io_executor ex, std::size_t concurrency) {
  if (concurrency == 0)
    throw configuration_error(
        {errc::invalid_argument, "The concurrency of an executor must be at least 1."});
  return std::make_shared<application_executor>(std::move(ex), concurrency);
}

asio::any_io_executor as_asio_executor(const std::shared_ptr<scheduler>& loop) {
  if (auto* native = dynamic_cast<net::asio_loop*>(loop.get())) return native->executor();
  return adaptor<scheduler>(loop);
}

asio::any_io_executor as_asio_executor(const std::shared_ptr<executor>& e) {
  if (auto* native = dynamic_cast<application_executor*>(e.get())) return native->wrapped();
  return adaptor<executor>(e);
}

}  // namespace oslo::messaging
