// The coroutine face of the notifier's erased core.
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <oslo/messaging/detail/completion_home.hpp>
#include <oslo/messaging/notify/notifier.hpp>

#include "notify/notifier_core.hpp"

namespace oslo::messaging::notify {

namespace asio = boost::asio;
using messaging::detail::waiting_handler;

namespace {

/// What is to be sent once the awaitable is awaited.
struct prepared {
  std::shared_ptr<const detail::notifier_core> from;
  notify::priority priority;
  context ctxt;
  std::string event_type;
  result<std::string> payload;
};

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

asio::awaitable<notifier::report> send(prepared p) {
  asio::use_awaitable_t<> token;
  return asio::async_initiate<asio::use_awaitable_t<>, void(notifier::report)>(
      [](auto handler, prepared n) {
        auto cancel = cancellation_of(handler);
        auto done = [waiting = waiting_handler(std::move(handler)),
                     inside = n.from->bus.inherited()](notifier::report r) mutable {
          waiting.finish([inside, &r](const auto& executor, auto resumed) {
            messaging::detail::resume_on(
                executor, inside, [handler = std::move(resumed), r = std::move(r)]() mutable {
                  if (auto slot = asio::get_associated_cancellation_slot(handler);
                      slot.is_connected())
                    slot.clear();
                  std::move(handler)(std::move(r));
                });
          });
        };
        n.from->send(n.priority, n.ctxt, n.event_type, n.payload, std::move(cancel),
                     std::move(done));
      },
      token, std::move(p));
}

}  // namespace

asio::awaitable<notifier::report> notifier::notify_text(notify::priority p, context ctxt,
                                                        std::string_view event_type,
                                                        result<std::string> payload) const {
  return send({core_, p, std::move(ctxt), std::string(event_type), std::move(payload)});
}

}  // namespace oslo::messaging::notify
