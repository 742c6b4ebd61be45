// Between an operation of the library and the handler that Asio makes of a completion token. Not
// part of the API.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <oslo/messaging/detail/completion_home.hpp>
#include <stop_token>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::detail {

/// An outcome is delivered as it came.
struct as_it_came {
  template <class Handler, class Result>
  void operator()(Handler handler, Result r) const {
    std::move(handler)(std::move(r));
  }
};

/// Brings an outcome to the executor of the handler, and there gives it to `Deliver`. `inside`: of
/// `resume_on`. In a child of the process that opened the transport there is no loop, and the
/// outcome comes while its operation is initiated.
template <class Handler, class Result, class Deliver = as_it_came>
class to_caller {
 public:
  to_caller(Handler h, bool inside) : handler_(std::move(h)), inside_(inside) {}

  void operator()(Result r) {
    handler_.finish([this, &r](const auto& executor, Handler waiting) {
      resume_on(executor, inside_, [handler = std::move(waiting), r = std::move(r)]() mutable {
        // The slot must not lead to this operation any more when the caller goes on.
        if (auto slot = boost::asio::get_associated_cancellation_slot(handler); slot.is_connected())
          slot.clear();
        Deliver{}(std::move(handler), std::move(r));
      });
    });
  }

 private:
  waiting_handler<Handler> handler_;
  bool inside_;
};

/// Connects the cancellation slot of a handler, if it has one, to a stop token for the driver.
template <class Handler>
std::stop_token cancellation_of(const Handler& handler) {
  auto slot = boost::asio::get_associated_cancellation_slot(handler);
  if (!slot.is_connected()) return {};
  std::stop_source source;
  auto token = source.get_token();
  slot.assign([source = std::move(source)](boost::asio::cancellation_type) mutable {
    source.request_stop();
  });
  return token;
}

}  // namespace oslo::messaging::detail

#pragma GCC visibility pop
