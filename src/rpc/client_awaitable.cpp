// The coroutine face of the client's erased core.
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <oslo/messaging/rpc/client.hpp>

namespace oslo::messaging::rpc {
namespace {

namespace asio = boost::asio;

/// Brings a completion from the transport's loop to the executor of the coroutine that waits.
template <class Handler, class Result>
class to_caller {
 public:
  explicit to_caller(Handler h) : work_(asio::get_associated_executor(h)), handler_(std::move(h)) {}

  void operator()(Result r) {
    // The guard is held here until `dispatch` has returned: the caller's context may be destroyed
    // as soon as it runs out of work, which must not happen while this thread is still waking it.
    const auto work = std::move(work_);
    asio::dispatch(
        work.get_executor(), [handler = std::move(handler_), r = std::move(r)]() mutable {
          // The slot must not lead to this operation any more when the coroutine goes on.
          if (auto slot = asio::get_associated_cancellation_slot(handler); slot.is_connected())
            slot.clear();
          std::move(handler)(std::move(r));
        });
  }

 private:
  asio::executor_work_guard<asio::associated_executor_t<Handler>> work_;
  Handler handler_;
};

/// Connects the slot of the coroutine, if it has one, to a stop token for the driver.
template <class Handler>
std::stop_token cancellation_of(const Handler& handler) {
  auto slot = asio::get_associated_cancellation_slot(handler);
  if (!slot.is_connected()) return {};
  std::stop_source source;
  auto token = source.get_token();
  slot.assign(
      [source = std::move(source)](asio::cancellation_type) mutable { source.request_stop(); });
  return token;
}

}  // namespace

asio::awaitable<client::text> client::call_text(std::string_view name,
                                                std::optional<method_version> since, context ctxt,
                                                text args) const {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(text)>(
      [self = *this](auto handler, std::string method, std::optional<method_version> version,
                     context c, text arguments) {
        auto token = cancellation_of(handler);
        to_caller<decltype(handler), text> done(std::move(handler));
        if (!arguments) {
          self.bus().loop().post([done = std::move(done), why = arguments.error()]() mutable {
            done(std::move(why));
          });
          return;
        }
        self.async_call_json(method, std::move(c), *arguments, {version, std::move(token)},
                             std::move(done));
      },
      asio::use_awaitable, std::string(name), since, std::move(ctxt), std::move(args));
}

asio::awaitable<result<void>> client::cast_text(std::string_view name,
                                                std::optional<method_version> since, context ctxt,
                                                text args) const {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(result<void>)>(
      [self = *this](auto handler, std::string method, std::optional<method_version> version,
                     context c, text arguments) {
        auto token = cancellation_of(handler);
        to_caller<decltype(handler), result<void>> done(std::move(handler));
        if (!arguments) {
          self.bus().loop().post([done = std::move(done), why = arguments.error()]() mutable {
            done(std::move(why));
          });
          return;
        }
        self.async_cast_json(method, std::move(c), *arguments, {version, std::move(token)},
                             std::move(done));
      },
      asio::use_awaitable, std::string(name), since, std::move(ctxt), std::move(args));
}

}  // namespace oslo::messaging::rpc
