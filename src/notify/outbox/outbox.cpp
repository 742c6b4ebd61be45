#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <oslo/messaging/detail/completion_home.hpp>
#include <oslo/messaging/notify/outbox.hpp>

#include "core/tasks/fork_guard.hpp"
#include "notify/outbox/outbox_sender.hpp"

namespace oslo::messaging::notify {

namespace asio = boost::asio;

namespace {

outbox_options checked(outbox_options o) {
  const auto refuse = [](const std::string& what) {
    throw configuration_error({errc::invalid_argument, "An outbox needs " + what + "."});
  };
  if (o.max_messages == 0) refuse("max_messages of at least 1");
  if (o.max_bytes == 0) refuse("max_bytes of at least 1");
  if (o.window == 0) refuse("a window of at least 1");
  if (o.give_up_after && o.give_up_after->count() <= 0) refuse("a positive give_up_after");
  return o;
}

/// An awaitable of what `start(done)` reports, resumed on the coroutine's own executor.
template <class Start>
asio::awaitable<result<void>> awaitable_of(Start start) {
  asio::use_awaitable_t<> token;
  return asio::async_initiate<asio::use_awaitable_t<>, void(result<void>)>(
      [](auto handler, Start begin) {
        begin([waiting =
                   messaging::detail::waiting_handler(std::move(handler))](result<void> r) mutable {
          waiting.finish([&r](const auto& executor, auto resumed) {
            // Not `dispatch`: this may still be the initiation.
            asio::post(executor, [handler = std::move(resumed), r = std::move(r)]() mutable {
              std::move(handler)(std::move(r));
            });
          });
        });
      },
      token, std::move(start));
}

}  // namespace

outbox::outbox(notifier through, outbox_options o)
    : through_(std::move(through)),
      sender_(std::make_shared<sender>(through_.core_.shared(), checked(std::move(o)))) {}

outbox::~outbox() {
  if (sender_->inherited())
    leave_to_parent(std::move(sender_));
  else
    sender_->close(sender_->linger());
}

result<void> outbox::post_text(notify::priority p, const context& ctxt, std::string_view event_type,
                               const result<std::string>& payload,
                               unique_function<void(const delivery_report&)> done) {
  auto made = sender_->make(p, ctxt, event_type, payload, std::move(done));
  if (!made) return made.error();
  return sender_->post(std::move(*made));
}

result<void> outbox::post_json(notify::priority p, const context& ctxt, std::string_view event_type,
                               std::string_view payload_json,
                               unique_function<void(const delivery_report&)> done) {
  return post_text(p, ctxt, event_type, std::string(payload_json), std::move(done));
}

void outbox::async_post_json(notify::priority p, const context& ctxt, std::string_view event_type,
                             std::string_view payload_json,
                             unique_function<void(result<void>)> accepted,
                             unique_function<void(const delivery_report&)> done) {
  if (!accepted) accepted = [](result<void>) {};
  auto made = sender_->make(p, ctxt, event_type, std::string(payload_json), std::move(done));
  if (!made) return accepted(made.error());
  sender_->async_post(std::move(*made), std::move(accepted));
}

asio::awaitable<result<void>> outbox::awaitable_post(notify::priority p, context ctxt,
                                                     std::string_view event_type,
                                                     result<std::string> payload) {
  return awaitable_of([s = sender_, made = sender_->make(p, ctxt, event_type, payload, {})](
                          unique_function<void(result<void>)> accepted) mutable {
    if (!made) return accepted(made.error());
    s->async_post(std::move(*made), std::move(accepted));
  });
}

result<void> outbox::flush(std::chrono::milliseconds limit) {
  return sender_->flush(limit);
}
void outbox::async_flush(std::chrono::milliseconds limit,
                         unique_function<void(result<void>)> done) {
  if (!done) done = [](result<void>) {};
  sender_->async_flush(limit, std::move(done));
}
asio::awaitable<result<void>> outbox::when_flushed(std::chrono::milliseconds limit) {
  return awaitable_of([s = sender_, limit](unique_function<void(result<void>)> done) {
    s->async_flush(limit, std::move(done));
  });
}

void outbox::close(std::chrono::milliseconds limit) {
  sender_->close(limit);
}
outbox_counts outbox::counts() const {
  return sender_->counts();
}
const notifier& outbox::through() const noexcept {
  return through_;
}

}  // namespace oslo::messaging::notify
