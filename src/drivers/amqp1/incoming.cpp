// One message of a listener, in the hands of whoever handles it.
#include <algorithm>
#include <cmath>
#include <utility>

#include "core/unique_id.hpp"
#include "drivers/amqp1/bodies.hpp"
#include "drivers/amqp1/listener.hpp"

namespace oslo::messaging::amqp1 {

const context& incoming::ctxt() const noexcept {
  if (!ctxt_) ctxt_ = c_.request.make_context();
  return *ctxt_;
}

std::string_view incoming::body() const noexcept {
  if (body_) return *body_;
  body_.emplace();
  const unique_digits unique_id;
  wire::request_keys keys{.unique_id = unique_id};
  const std::string reply_q = "reply_" + c_.reply_to;
  if (!c_.reply_to.empty()) {
    keys.msg_id = c_.message_id_text;
    keys.reply_q = reply_q;
    if (const auto seconds = c_.request.client_timeout)
      keys.timeout = std::chrono::milliseconds(std::llround(std::min(*seconds, 1e9) * 1000));
  }
  try {
    write_whole(*body_, c_.request, ctxt(), keys);
  } catch (const messaging_error&) {
    body_->clear();
  }
  return *body_;
}

void incoming::acknowledge_later() {
  from_->owner().loop().dispatch(
      [from = from_, of = c_.mark]() mutable { from->acknowledge_later(std::move(of)); });
}

void incoming::settle(bool ack) {
  if (std::exchange(settled_, true)) return;
  auto& loop = from_->owner().loop();
  if (loop.running_here()) return from_->settle(c_.where, c_.mark, ack);
  loop.post([from = from_, where = c_.where, of = c_.mark, ack] { from->settle(where, of, ack); });
}

void incoming::reply(outgoing_reply r, unique_function<void(result<void>)> done) {
  if (c_.reply_to.empty()) {
    if (done) done({});
    return;
  }
  outgoing_answer a{c_.reply_to, c_.message_id, c_.message_id_text, {}, !settled_, std::move(done)};
  write_reply(a.body, r);  // here, on the handler's thread, not on the loop
  from_->owner().loop().dispatch(
      [from = from_, a = std::move(a)]() mutable { from->owner().reply(std::move(a)); });
}

void incoming::heartbeat(unique_function<void(result<void>)> done) {
  if (c_.reply_to.empty()) {
    if (done) done({});
    return;
  }
  from_->owner().loop().dispatch([from = from_, to = c_.reply_to, id = c_.message_id,
                                  seconds = c_.request.client_timeout.value_or(0),
                                  done = std::move(done)]() mutable {
    from->owner().heartbeat(std::move(to), std::move(id), seconds, std::move(done));
  });
}

}  // namespace oslo::messaging::amqp1
