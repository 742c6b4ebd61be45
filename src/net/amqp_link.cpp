#include "net/amqp_link.hpp"

#include <boost/asio/post.hpp>

#include "core/tasks/raised_flag.hpp"
#include "core/unique_id.hpp"
#include "net/amqp_failure.hpp"

namespace oslo::messaging::net {

using clock = std::chrono::steady_clock;

namespace {
constexpr std::size_t read_chunk = 128 * 1024;
/// A connection that lived shorter does not count as good: without this, a broker that accepts us
/// and throws us out at once would be called again and again without a pause.
constexpr std::chrono::seconds good_after{2};
/// The same failure is worth a line again after that long.
constexpr std::chrono::seconds say_again_after{30};
/// With how many bytes, and after how long, input is read: for each `amqp_link::patience`. Some 10
/// and 50 confirms.
struct bulk {
  int bytes;
  std::chrono::milliseconds at_most;
};
constexpr bulk bulks[] = {
    {1, {}}, {210, std::chrono::milliseconds(1)}, {1024, std::chrono::milliseconds(20)}};
}  // namespace

amqp_link::amqp_link(boost::asio::any_io_executor ex, link_settings settings, logger log)
    : executor_(std::move(ex)),
      settings_(std::move(settings)),
      log_(std::move(log)),
      backoff_(settings_.brokers.size(), settings_.backoff, random_bits()),
      retry_timer_(executor_),
      machine_timer_(executor_),
      patience_timer_(executor_),
      input_(read_chunk) {}

amqp_link::~amqp_link() = default;

void amqp_link::open() {
  if (state_ != state::idle) return;
  attempt_later(std::chrono::milliseconds(0), false);
  changed();
}

void amqp_link::attempt() {
  const auto& target = settings_.brokers[next_broker_];
  broker_name_ = target.where.text();
  changed();
  state_ = state::connecting;
  const auto generation = ++generation_;
  settings_.amqp.username = target.username;
  settings_.amqp.password = target.password;
  stream_ = make_stream(executor_, settings_.tls);
  stream_->connect(target.where, settings_.connect_timeout,
                   [self = shared_from_this(), generation](result<void> r) {
                     self->connected(generation, std::move(r));
                   });
}

void amqp_link::connected(std::uint64_t generation, result<void> r) {
  if (generation != generation_ || state_ != state::connecting) return;
  if (r.has_error()) return lose(r.error());
  state_ = state::handshake;
  writing_ = false;
  patience_ = patience::none;
  overdue_ = false;
  machine_closed_.reset();
  armed_until_ = clock::time_point::max();
  machine_ = std::make_unique<amqp091::connection>(settings_.amqp, *this, clock::now());
  flush();
  if (generation == generation_) read(generation);
}

void amqp_link::read(std::uint64_t generation) {
  stream_->read_some(input_, [self = shared_from_this(), generation](boost::system::error_code ec,
                                                                     std::size_t n) {
    if (generation != self->generation_ || !self->machine_) return;
    self->overdue_ = false;
    {
      const raised_flag in_machine(self->in_machine_);
      self->input_begins();
      if (ec)
        self->machine_->on_stream_end(ec.message(), clock::now());
      else
        self->machine_->on_bytes(std::as_bytes(std::span(self->input_.data(), n)), clock::now());
      self->input_done();
    }
    if (generation != self->generation_) return;
    self->after_machine();
    if (generation == self->generation_ && self->machine_) self->read(generation);
  });
}

/// Sends what events produced, then acts on the end of the connection if that was among them.
void amqp_link::after_machine() {
  flush();
  if (machine_ && machine_closed_) lose(*std::exchange(machine_closed_, std::nullopt));
}

void amqp_link::flush() {
  if (!machine_ || writing_ || in_machine_) return;
  while (machine_->has_output()) {
    machine_->take_output(output_, clock::now());
    if (output_.empty()) break;
    boost::system::error_code ec;
    const auto written = stream_->try_write(output_, ec);
    if (!ec && written == output_.size()) continue;
    if (ec) {
      stream_ended(ec);
      // The caller may be in the middle of its own work: take the link down from the loop.
      boost::asio::post(executor_, [self = shared_from_this(), g = generation_] {
        if (g == self->generation_) self->after_machine();
      });
      return;
    }
    writing_ = true;
    stream_->write(std::string_view(output_).substr(written),
                   [self = shared_from_this(), g = generation_](boost::system::error_code ec2) {
                     if (g != self->generation_ || !self->machine_) return;
                     self->writing_ = false;
                     if (ec2)
                       self->stream_ended(ec2);
                     else
                       self->output_drained();
                     self->after_machine();
                   });
    break;
  }
  arm_timer();
}

void amqp_link::stream_ended(const boost::system::error_code& why) {
  const raised_flag in_machine(in_machine_);
  machine_->on_stream_end(why.message(), clock::now());
}

void amqp_link::flush_later() {
  if (flush_posted_ || in_machine_ || held_) return;
  flush_posted_ = true;
  boost::asio::post(executor_, [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void amqp_link::release() {
  held_ = false;
  flush();
}

void amqp_link::read_with(patience p) {
  if (overdue_) p = patience::none;
  if (p == patience_ || !stream_) return;
  patience_ = p;
  const auto& [bytes, at_most] = bulks[static_cast<std::size_t>(p)];
  if (!stream_->wake_after(bytes) || p == patience::none) return;
  const auto until = clock::now() + at_most;
  // One that ends sooner does as well, and is cheaper than another one.
  if (patience_until_ != clock::time_point{} && patience_until_ <= until) return;
  patience_until_ = until;
  patience_timer_.expires_at(until);
  patience_timer_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const auto self = weak.lock();
    if (ec || !self) return;
    self->patience_until_ = {};
    // The wake-up that this brings is lost if bytes are asked for in bulk again before it is seen.
    self->overdue_ = true;
    self->read_with(patience::none);
  });
}

/// Deadlines mostly move into the future; then the timer that is already armed asks again.
void amqp_link::arm_timer() {
  if (!machine_) return;
  const auto next = machine_->next_deadline();
  if (next >= armed_until_) return;
  armed_until_ = next;
  machine_timer_.expires_at(next);
  machine_timer_.async_wait(
      [weak = weak_from_this(), g = generation_](boost::system::error_code ec) {
        const auto self = weak.lock();
        if (self && !ec && g == self->generation_) self->on_timer();
      });
}

void amqp_link::on_timer() {
  armed_until_ = clock::time_point::max();
  if (!machine_) return;
  {
    const raised_flag in_machine(in_machine_);
    machine_->on_tick(clock::now());
  }
  after_machine();
}

void amqp_link::on_open(const amqp091::field_table&) {
  state_ = state::open;
  open_since_ = clock::now();
  last_failure_.reset();
  said_.clear();
  log_(log_level::info, "Connected to " + broker_name_ + " to " + settings_.purpose);
  changed();
  link_up();
}

void amqp_link::on_closed(const amqp091::close_reason& why) {
  machine_closed_ = to_failure(why, broker_name_);
}

void amqp_link::lose(failure why) {
  const bool was_open = state_ == state::open;
  const bool closing = state_ == state::closing;
  const bool answered = state_ != state::connecting || why.code() != errc::unreachable;
  ++generation_;
  machine_timer_.cancel();
  if (stream_) stream_->close();
  // Some of these may be on the call stack right now.
  boost::asio::post(executor_, [s = std::shared_ptr<stream>(std::move(stream_)),
                                m = std::shared_ptr<amqp091::connection>(std::move(machine_))] {});
  if (closing) return finish_shut();
  if (state_ == state::shut) return;

  last_failure_ = why;
  if (was_open && clock::now() - open_since_ >= good_after) backoff_.reset();
  const bool verdict = is_verdict(why.code());
  const auto level = !worth_saying(why) ? log_level::debug
                     : verdict          ? log_level::error
                                        : log_level::warning;
  log_(level, "[" + settings_.purpose + "] " + why.message());
  attempt_later(verdict ? settings_.verdict_pause : std::chrono::milliseconds(0), answered);
  changed();
  link_down(why, was_open);
}

/// A long outage is one line every now and then, not one an attempt.
bool amqp_link::worth_saying(const failure& why) {
  const auto now = clock::now();
  if (why.message() == said_ && now - said_at_ < say_again_after) return false;
  said_ = why.message();
  said_at_ = now;
  return true;
}

void amqp_link::attempt_later(std::chrono::milliseconds at_least, bool answered) {
  const auto next = backoff_.next(answered);
  next_broker_ = next.host;
  const auto pause = std::max(next.delay, at_least);
  state_ = state::waiting;
  log_(log_level::debug, "[" + settings_.purpose + "] Connecting to " +
                             settings_.brokers[next_broker_].where.text() + " in " +
                             std::to_string(pause.count()) + " ms");
  retry_timer_.expires_after(pause);
  retry_timer_.async_wait([weak = weak_from_this()](boost::system::error_code ec) {
    const auto self = weak.lock();
    if (self && !ec && self->state_ == state::waiting) self->attempt();
  });
}

void amqp_link::shut(std::chrono::milliseconds limit, unique_function<void()> done) {
  shut_done_ = std::move(done);
  retry_timer_.cancel();
  if (state_ != state::open) {
    state_ = state::closing;
    lose({errc::closed, "closed"});
    return;
  }
  state_ = state::closing;
  machine_->close(200, "goodbye", clock::now());
  flush();
  retry_timer_.expires_after(limit);
  retry_timer_.async_wait([self = shared_from_this()](boost::system::error_code ec) {
    if (!ec && self->state_ == state::closing) self->lose({errc::closed, "closed"});
  });
}

void amqp_link::finish_shut() {
  state_ = state::shut;
  changed();
  retry_timer_.cancel();
  if (shut_done_) boost::asio::post(executor_, std::exchange(shut_done_, nullptr));
}

}  // namespace oslo::messaging::net
