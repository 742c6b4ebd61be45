#include "drivers/rabbit/probe.hpp"

#include <stdexcept>
#include <utility>

namespace oslo::messaging::rabbit {
namespace {

constexpr std::chrono::milliseconds goodbye{500};

}  // namespace

probe::probe(boost::asio::io_context& io, net::link_settings settings)
    : io_(io),
      link_(std::make_shared<net::amqp_link>(io.get_executor(), std::move(settings), logger{})) {
  link_->serve(*this);
  link_->open();
}

void probe::leave() {
  if (gone_) return;
  gone_ = std::make_shared<bool>(false);
  link_->shut(goodbye, [gone = gone_] { *gone = true; });
}

/// The link may tell us things until it has said goodbye.
probe::~probe() {
  leave();
  run(
      io_, [this] { return *gone_; }, std::chrono::steady_clock::now() + 2 * goodbye);
}

void probe::link_down(const net::link_loss& loss) {
  lost_ = loss.why;
  if (loss.closed)
    answered({outcome::refused, 0, 0, *loss.closed, {}});
  else
    answered({outcome::lost, 0, 0, {}, {}});
  link_->shut(std::chrono::milliseconds(0), {});  // it would connect again
}

probe::answer probe::ask(const question& q, instant until) {
  return put(q, until, false);
}
probe::answer probe::ask_to_send(const question& q, instant until) {
  return put(q, until, true);
}

probe::answer probe::put(const question& q, instant until, bool sends) {
  if (!link_->is_open()) return {outcome::lost, 0, 0, {}, {}};
  answer_.reset();
  try {
    open_channel(until);
    q(link_->machine(), channel_);
  } catch (const std::logic_error& e) {
    if (!link_->is_open()) return {outcome::lost, 0, 0, {}, {}};
    close_channel();
    return {outcome::refused, 0, 0, {amqp091::close_reason::origin::local, 0, e.what()}, {}};
  }
  link_->flush();
  run(
      io_, [&] { return answer_.has_value() || (sends && blocked_); }, until);
  auto a = std::exchange(answer_, std::nullopt).value_or(answer{});
  if (sends && blocked_) a = {outcome::blocked, 0, 0, {}, *blocked_};
  close_channel();
  return a;
}

/// There may be a single one, which is free once the broker has closed it.
void probe::open_channel(instant until) {
  try {
    channel_ = link_->machine().open_channel();
  } catch (const std::length_error&) {
    if (closing_ == 0) throw;
    run(
        io_, [this] { return closing_ == 0 || !link_->is_open(); }, until);
    if (closing_ != 0) throw;
    channel_ = link_->machine().open_channel();
  }
}

void probe::close_channel() {
  const auto ch = std::exchange(channel_, 0);
  if (!link_->is_open() || !link_->machine().has_channel(ch)) return;
  link_->machine().close_channel(ch);
  link_->flush();
  closing_ = ch;
}

void probe::on_request_ok(amqp091::channel_id ch, amqp091::request_id request, std::string_view,
                          std::uint32_t messages, std::uint32_t consumers) {
  if (ch == channel_ && request == asking) answered({outcome::done, messages, consumers, {}, {}});
}

void probe::on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) {
  if (ch == closing_) closing_ = 0;
  if (ch == channel_) answered({outcome::refused, 0, 0, why, {}});
}

}  // namespace oslo::messaging::rabbit
