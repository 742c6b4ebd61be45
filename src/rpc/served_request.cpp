#include "rpc/served_request.hpp"

#include <cmath>
#include <utility>

#include "rpc/exceptions.hpp"

namespace oslo::messaging::rpc::detail {

served_request::~served_request() {
  stop_timers();
  // Unreachable for handlers (they reply, throw or drop their responder), but an executor may
  // refuse work, or destroy what it never ran.
  if (!claim()) return;
  if (late_) {
    server_->made_room();
    server_->settled();  // the bus gives it to another server
  } else {
    answer_with(std::make_exception_ptr(
        std::runtime_error("The server's executor did not run the request.")));
  }
}

void served_request::handle() noexcept {
  if (expired()) return drop_expired();
  try {
    find_method();
    prepare_request();
    start_heartbeats();
    server_->endpoints.authorize(header_, what().ctxt);
    if (binding_->handler().deferred()) return start_handler();
    std::string out;
    binding_->handler().run(what(), out);
    succeed(std::move(out));
  } catch (...) {
    thrown(std::current_exception());
  }
}

void served_request::start_handler() {
  started_ = started::running;
  binding_->handler().start(shared_from_this());
  if (started_.exchange(started::no) == started::running_without_responder) abandon();
}

void served_request::thrown(const std::exception_ptr& error) noexcept {
  if (claim())
    answer_with(error);
  else
    log_failure(error, describe(error, server_->options.exceptions.get()), " after its reply");
}

void served_request::find_method() {
  const auto observe = [this] {
    seen_ = request_observer::begin(server_->bus, server_->on, header_.method, *message_);
    if (!seen_) return;
    if (binding_ != nullptr) seen_->found(binding_->name(), header_.namespace_);
    seen_->started();
  };
  try {
    header_ = request_header::read(*message_);
    binding_ = &server_->endpoints.find(header_);
  } catch (...) {
    observe();
    throw;
  }
  observe();
}

/// What the handler gets: what came, unless a serializer or a span changes it.
void served_request::prepare_request() {
  const auto* s = server_->endpoints.translator();
  const bool traced = seen_ && seen_->has_span();
  const auto& rules = binding_->arguments();
  if (s == nullptr && !traced) {
    what_.emplace(request{message_->ctxt(), header_.method, header_.args, *this, rules});
    return;
  }
  translation t;
  if (s != nullptr) {
    t.ctxt = s->deserialize_context(message_->ctxt());
    t.args = server_->endpoints.translate_arguments(t.ctxt, header_.args);
  } else {
    t.ctxt = message_->ctxt();
  }
  if (traced) seen_->inject(t.ctxt);
  translated_ = std::make_unique<const translation>(std::move(t));
  what_.emplace(request{translated_->ctxt, header_.method,
                        s != nullptr ? std::string_view(translated_->args) : header_.args, *this,
                        rules});
}

void served_request::succeed(std::string result_json) noexcept {
  try {
    if (server_->endpoints.translator() != nullptr)
      result_json = server_->endpoints.translate_result(what().ctxt, result_json);
  } catch (...) {
    fail(std::current_exception());
    return;
  }
  if (claim()) send({std::move(result_json), std::nullopt});
}

void served_request::fail(std::exception_ptr error) noexcept {
  if (!error)
    error = std::make_exception_ptr(std::runtime_error("The handler failed without an exception."));
  if (claim()) answer_with(error);
}

void served_request::answer_with(const std::exception_ptr& error) noexcept {
  const auto& o = server_->options;
  auto described = describe(error, o.exceptions.get());
  add_traceback(described, error, o.traceback, o.exceptions.get(),
                o.traceback == tracebacks::full
                    ? "method \"" + header_.method + "\" of " + to_string(server_->on)
                    : std::string());
  log_failure(error, described);
  send({"null", std::move(described)});
}

void served_request::abandon() noexcept {
  // It may go down with the exception that the caller is to get.
  auto running = started::running;
  if (started_.compare_exchange_strong(running, started::running_without_responder)) return;
  fail(std::make_exception_ptr(
      std::runtime_error("The handler dropped the request without a reply.")));
}

void served_request::run(boost::asio::awaitable<std::string> handler) {
  server_->spawn(std::move(handler),
                 [self = shared_from_this()](std::exception_ptr error, std::string text) {
                   if (error)
                     self->fail(std::move(error));
                   else
                     self->succeed(std::move(text));
                 });
}

void served_request::send(outgoing_reply&& r) noexcept {
  stop_timers();
  server_->made_room();
  if (seen_) {
    if (r.failure)
      seen_->failed(*r.failure);
    else
      seen_->succeeded();
  }
  if (!is_call()) return finish_cast(!r.failure);
  try {
    send_answer(std::move(r));
  } catch (const std::exception& e) {
    server_->bus.log()(log_level::error,
                       std::string("Can not send reply for message: ") + e.what());
    server_->settled();
  }
}

void served_request::send_answer(outgoing_reply&& r) {
  const auto done = [s = server_](const result<void>& verdict) {
    if (!verdict)
      s->bus.log()(log_level::error,
                   "Can not send reply for message: " + verdict.error().message());
    s->settled();
  };
  if (!late_) return message_->reply(std::move(r), [done](result<void> v) { done(v); });
  // Whatever became of the reply: the work is done, and another server must not do it again.
  message_->reply(std::move(r), [done, self = shared_from_this()](result<void> v) {
    self->message_->acknowledge();
    done(v);
  });
}

void served_request::finish_cast(bool succeeded) noexcept {
  if (late_) {
    if (succeeded || message_->redelivered()) {
      if (!succeeded)
        server_->bus.log()(log_level::error, "The message for " + header_.method +
                                                 " has failed and was delivered before: it is "
                                                 "dropped.");
      message_->acknowledge();
    } else {
      message_->requeue();
    }
  }
  server_->settled();
}

bool served_request::expired() const noexcept {
  const auto limit = message_->deadline();
  return limit && *limit <= server_->bus.loop().now();
}

/// Nobody waits for the reply any more, and nobody may rely on the work being done.
void served_request::drop_expired() noexcept {
  if (!claim()) return;
  const auto& bus = server_->bus;
  bus.log()(log_level::info, "The request " + std::string(message_->message_id()) +
                                 " is dropped: its caller does not wait any more.");
  if (auto* meter = bus.meter()) {
    const metric_label topic{"topic", *server_->on.topic};
    meter->add("rpc_server_expired_total", {&topic, 1}, 1);
  }
  if (late_) message_->acknowledge();
  server_->made_room();
  server_->settled();
}

std::optional<std::chrono::milliseconds> served_request::remaining() const noexcept {
  using std::chrono::milliseconds;
  const auto limit = message_->deadline();
  if (!limit) return std::nullopt;
  const auto left = *limit - server_->bus.loop().now();
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(left));
}

std::stop_token served_request::cancellation() const {
  const std::lock_guard lock(cancel_mutex_);
  if (!canceller_) {
    canceller_ = std::make_unique<canceller>();
    cancellable_ = true;
    auto& c = *canceller_;
    c.loop = server_->bus.shared_loop();
    const auto stop = [source = c.source]() mutable { source.request_stop(); };
    if (const auto limit = message_->deadline()) c.timer = c.loop->run_at(*limit, stop);
    c.server_hurries = std::make_unique<canceller::callback>(server_->hurry_token(), stop);
  }
  return canceller_->source.get_token();
}

void served_request::stop_timers() noexcept {
  if (monitored_) {
    const std::lock_guard lock(monitor_mutex_);
    beating_ = false;
    server_->bus.loop().cancel(heartbeat_);
  }
  if (!cancellable_) return;
  // Waits for a callback that is running, which may itself ask for the token.
  std::unique_ptr<canceller::callback> ending;
  const std::lock_guard lock(cancel_mutex_);
  canceller_->loop->cancel(canceller_->timer);
  ending = std::move(canceller_->server_hurries);
}

void served_request::log_failure(const std::exception_ptr& error, const remote_failure& described,
                                 std::string_view when) noexcept {
  const auto& log = server_->bus.log();
  if (binding_ != nullptr && binding_->expects(error)) {
    if (log.enabled(log_level::debug))
      log(log_level::debug, "Expected exception during message handling" + std::string(when) +
                                " (" + header_.method + "): " + described.type + ": " +
                                described.message);
    return;
  }
  // Peers probe for optional methods under such names; to oslo that is no error either.
  if (binding_ == nullptr && described.type == "NoSuchMethod" &&
      header_.method.ends_with("_ignore_errors")) {
    log(log_level::debug, "Method " + header_.method + " not found");
    return;
  }
  log(log_level::error, "Exception during message handling" + std::string(when) + " (" +
                            header_.method + "): " + described.type + ": " + described.message);
}

void served_request::start_heartbeats() {
  const auto accepted = message_->client_timeout();
  if (!accepted || *accepted == 0) return;
  // int(client_timeout) / 2, but written so that any number is safe.
  const double seconds = std::isfinite(*accepted) ? std::min(std::trunc(*accepted), 1e9) : 0.0;
  if (seconds < 2) {
    server_->bus.log()(log_level::warning,
                       "Client provided an invalid timeout value of " + std::to_string(*accepted));
    return;
  }
  const auto period = std::chrono::seconds(static_cast<std::int64_t>(seconds / 2));
  monitored_ = true;
  const std::lock_guard lock(monitor_mutex_);
  beating_ = true;
  beat_later(period);
}

/// The caller holds the lock.
void served_request::beat_later(std::chrono::seconds period) {
  auto& loop = server_->bus.loop();
  heartbeat_ = loop.run_at(loop.now() + period, [weak = weak_from_this(), period] {
    if (const auto self = weak.lock()) self->beat(period);
  });
}

void served_request::beat(std::chrono::seconds period) noexcept {
  const std::lock_guard lock(monitor_mutex_);
  if (!beating_) return;
  try {
    message_->heartbeat();
    beat_later(period);
  } catch (const std::exception& e) {
    beating_ = false;
    server_->bus.log()(log_level::debug,
                       std::string("Heartbeats of a request have ended: ") + e.what());
  }
}

}  // namespace oslo::messaging::rpc::detail
