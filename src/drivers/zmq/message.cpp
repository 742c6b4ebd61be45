#include "drivers/zmq/message.hpp"

#include <utility>

#include "core/unique_id.hpp"
#include "drivers/zmq/server_port.hpp"
#include "wire/reply.hpp"

namespace oslo::messaging::zmq {

zmq_message::~zmq_message() {
  const bool lost = !std::exchange(settled_, true);
  from_->loop().dispatch([from = from_, what = what_, lost] {
    if (lost) from->give_back(what, false);
    from->handed_back();
  });
}

std::span<const message_field> zmq_message::fields() const noexcept {
  if (const auto* const own = std::get_if<wire::incoming_request>(&what_->content))
    return own->fields;
  return std::get<old_request>(what_->content).fields;
}

const context& zmq_message::ctxt() const noexcept {
  if (const auto* const old = std::get_if<old_request>(&what_->content)) return old->ctxt;
  if (!ctxt_) ctxt_ = std::get<wire::incoming_request>(what_->content).make_context();
  return *ctxt_;
}

std::string_view zmq_message::body() const noexcept {
  if (const auto* const own = std::get_if<wire::incoming_request>(&what_->content))
    return own->text;
  if (text_) return *text_;
  text_.emplace();
  const auto& old = std::get<old_request>(what_->content);
  const unique_digits unique_id;
  try {
    wire::request_keys keys{.unique_id = unique_id};
    if (what_->wants_reply) {
      keys.msg_id = what_->id;
      keys.reply_q = "reply_zmq";
    }
    wire::write_inner(*text_, old.message, old.ctxt, keys);
  } catch (const messaging_error&) {
    text_->clear();
  }
  return *text_;
}

std::optional<double> zmq_message::client_timeout() const noexcept {
  const auto* const own = std::get_if<wire::incoming_request>(&what_->content);
  return own != nullptr ? own->client_timeout : std::nullopt;
}

void zmq_message::acknowledge() {
  if (std::exchange(settled_, true)) return;
  from_->loop().dispatch([from = from_, what = what_] { from->acknowledge(what); });
}

void zmq_message::requeue() {
  if (std::exchange(settled_, true)) return;
  from_->loop().dispatch([from = from_, what = what_] { from->give_back(what, true); });
}

void zmq_message::reply(outgoing_reply r, unique_function<void(result<void>)> done) {
  if (!what_->wants_reply) {
    if (done) from_->loop().post([done = std::move(done)]() mutable { done({}); });
    return;
  }
  std::string body;  // written here, on the handler's thread, not on the loop
  if (what_->old)
    body = write_old_reply(r);
  else
    wire::write_reply(body, r, what_->id, unique_digits());
  from_->loop().dispatch(
      [from = from_, what = what_, body = std::move(body), done = std::move(done)]() mutable {
        from->port().reply(*what, std::move(body), false, std::move(done));
      });
}

void zmq_message::heartbeat(unique_function<void(result<void>)> done) {
  if (!what_->wants_reply || what_->old) {  // old peers have none
    if (done) from_->loop().post([done = std::move(done)]() mutable { done({}); });
    return;
  }
  std::string body;
  wire::write_heartbeat(body, what_->id, unique_digits());
  from_->loop().dispatch(
      [from = from_, what = what_, body = std::move(body), done = std::move(done)]() mutable {
        from->port().reply(*what, std::move(body), true, std::move(done));
      });
}

}  // namespace oslo::messaging::zmq
