#include "drivers/zmq/redis_link.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "core/tasks/guarded.hpp"

namespace oslo::messaging::zmq {
namespace {

using namespace std::chrono_literals;

/// An answer that takes longer means that the connection is dead.
constexpr auto longest_wait = 3s;
constexpr auto longest_farewell = 500ms;

void append(answer& to, const redis_value& v) {
  switch (v.what) {
    case redis_value::kind::number: to.push_back(std::to_string(v.number)); break;
    case redis_value::kind::text: to.push_back(v.text); break;
    case redis_value::kind::list:
      for (const auto& each : v.items) append(to, each);
      break;
    default: break;
  }
}

}  // namespace

redis_link::redis_link(context_ptr c, host_port at)
    : context_(std::move(c)),
      at_(std::move(at)),
      resolver_(context_->loop->executor()),
      socket_(context_->loop->executor()) {}

void redis_link::ask(const command& what, answered done) {
  if (closed_ || waiting_.size() >= most_waiting)
    return done(failure(closed_ ? errc::closed : errc::limit_exceeded,
                        "Redis at " + to_string(at_) + " cannot be asked."));
  out_ += write_redis_command(what);
  waiting_.push_back(std::move(done));
  if (state_ == state::idle) connect();
  if (state_ == state::connected) write();
  watch();
}

/// Looks after a while whether there are answers.
void redis_link::watch() {
  if (timer_ != scheduler::timer_id::none || waiting_.empty()) return;
  timer_ = context_->loop->run_at(context_->loop->now() + longest_wait,
                                  [weak = weak_from_this(), before = answers_] {
                                    const auto self = weak.lock();
                                    if (!self) return;
                                    self->timer_ = scheduler::timer_id::none;
                                    if (self->waiting_.empty()) return;
                                    if (self->answers_ == before)
                                      self->lost("it does not answer");
                                    else
                                      self->watch();
                                  });
}

void redis_link::connect() {
  state_ = state::connecting;
  reader_ = std::make_unique<redis_reader>();
  const auto round = ++round_;
  const auto connected = [weak = weak_from_this(), round](boost::system::error_code ec,
                                                          const auto&) {
    const auto self = weak.lock();
    if (!self || self->round_ != round) return;
    if (ec) return self->lost(ec.message());
    boost::system::error_code ignored;
    self->socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
    self->state_ = state::connected;
    if (!self->at_.password.empty()) {
      command login{"AUTH"};
      if (!self->at_.user.empty()) login.push_back(self->at_.user);
      login.push_back(self->at_.password);
      self->out_.insert(0, write_redis_command(login));
      self->waiting_.push_front([weak](result<answer> r) {
        if (const auto there = weak.lock(); there && !r) there->lost(r.error().message());
      });
    }
    self->read();
    self->write();
  };
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(at_.host, ec);
  if (!ec) {
    socket_.async_connect({address, at_.port},
                          [connected](boost::system::error_code e) { connected(e, 0); });
    return;
  }
  resolver_.async_resolve(
      at_.host, std::to_string(at_.port),
      [weak = weak_from_this(), round, connected](
          boost::system::error_code e, const boost::asio::ip::tcp::resolver::results_type& found) {
        const auto self = weak.lock();
        if (!self || self->round_ != round) return;
        if (e) return self->lost(e.message());
        boost::asio::async_connect(self->socket_, found, connected);
      });
}

void redis_link::write() {
  if (state_ != state::connected || out_.empty() || !writing_.empty()) return;
  writing_.swap(out_);
  boost::asio::async_write(
      socket_, boost::asio::buffer(writing_),
      [self = shared_from_this(), round = round_](boost::system::error_code ec, std::size_t) {
        if (self->round_ != round) return;
        self->writing_.clear();
        if (ec) return self->lost(ec.message());
        self->write();
      });
}

void redis_link::read() {
  socket_.async_read_some(
      boost::asio::buffer(in_),
      [self = shared_from_this(), round = round_](boost::system::error_code ec, std::size_t n) {
        if (self->round_ != round) return;
        if (ec) return self->lost(ec.message());
        if (const auto fed = self->reader_->feed({self->in_.data(), n}); !fed)
          return self->lost(fed.error().message());
        self->take();
        if (self->round_ == round) self->read();
      });
}

void redis_link::take() {
  const auto round = round_;
  while (round_ == round) {
    const auto next = reader_->next();
    if (!next) return lost(next.error().message());
    if (!*next) return;
    const redis_value& v = **next;
    ++answers_;
    if (waiting_.empty()) return lost("it answers what nobody asked");
    auto done = std::move(waiting_.front());
    waiting_.pop_front();
    if (waiting_.empty()) {
      context_->loop->cancel(std::exchange(timer_, scheduler::timer_id::none));
      if (closed_) return lost("the transport was closed");
    }
    if (v.what == redis_value::kind::error) {
      set_trouble("Redis at " + to_string(at_) + " refuses: " + v.text);
      call_guarded(*context_->loop, done, result<answer>(failure(errc::broker_error, trouble_)));
      continue;
    }
    set_trouble({});
    answer a;
    append(a, v);
    call_guarded(*context_->loop, done, result<answer>(std::move(a)));
  }
}

void redis_link::lost(const std::string& why) {
  ++round_;
  state_ = state::idle;
  boost::system::error_code ignored;
  socket_.close(ignored);
  resolver_.cancel();
  out_.clear();
  writing_.clear();
  context_->loop->cancel(std::exchange(timer_, scheduler::timer_id::none));
  if (!why.starts_with("Redis at"))
    set_trouble("Redis at " + to_string(at_) + " cannot be reached: " + why);
  for (auto& done : std::exchange(waiting_, {}))
    context_->loop->post([done = std::move(done), text = trouble_]() mutable {
      done(failure(errc::unreachable, text));
    });
  if (closed_ && on_closed_) context_->loop->post(std::exchange(on_closed_, nullptr));
}

void redis_link::set_trouble(std::string text) {
  if (closed_ || trouble_ == text) return;
  if (trouble_.empty()) context_->log(log_level::warning, text);
  trouble_ = std::move(text);
  if (on_trouble_) on_trouble_();
}

void redis_link::close_when_idle(unique_function<void()> done) {
  if (std::exchange(closed_, true)) return;
  on_closed_ = std::move(done);
  if (state_ != state::connected || waiting_.empty()) return lost("the transport was closed");
  // What is asked holds this until the last answer; the end of the wait is not far.
  context_->loop->cancel(std::exchange(timer_, scheduler::timer_id::none));
  timer_ =
      context_->loop->run_at(context_->loop->now() + longest_farewell, [self = shared_from_this()] {
        self->timer_ = scheduler::timer_id::none;
        self->lost("the transport was closed");
      });
}

}  // namespace oslo::messaging::zmq
