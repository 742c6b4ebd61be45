// The coroutine face of the notifier's erased core.
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <oslo/messaging/detail/to_caller.hpp>
#include <oslo/messaging/notify/notifier.hpp>

#include "notify/notifier_core.hpp"

namespace oslo::messaging::notify {

namespace asio = boost::asio;

namespace {

/// What is to be sent once the awaitable is awaited.
struct prepared {
  messaging::detail::handle<const detail::notifier_core> from;
  notify::priority priority;
  context ctxt;
  std::string event_type;
  result<std::string> payload;
};

asio::awaitable<notifier::report> send(prepared p) {
  asio::use_awaitable_t<> token;
  return asio::async_initiate<asio::use_awaitable_t<>, void(notifier::report)>(
      [](auto handler, prepared n) {
        auto cancel = messaging::detail::cancellation_of(handler);
        messaging::detail::to_caller<decltype(handler), notifier::report> done(
            std::move(handler), !n.from || n.from->bus.inherited());
        if (!n.from) return done(messaging::detail::moved_from(detail::notifier_core::handle_name));
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
