// Keeps one AMQP connection alive: host rotation, back-off, socket, heartbeats, coalesced writes.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/logger.hpp>
#include <string>
#include <vector>

#include "net/stream.hpp"
#include "protocol/amqp091/connection.hpp"
#include "protocol/backoff.hpp"

namespace oslo::messaging::net {

/// One broker and how to log in there.
struct broker {
  endpoint where;
  std::string username = "guest";
  std::string password = "guest";
};

struct link_settings {
  std::vector<broker> brokers;       ///< at least one; tried in turn
  amqp091::connection_options amqp;  ///< user name and password are those of the broker
  tls_options tls;
  protocol::backoff_options backoff;  ///< between full passes over the brokers
  std::chrono::milliseconds connect_timeout{5'000};
  /// Pause after a verdict (credentials, vhost, TLS): slow, because only an operator can help.
  std::chrono::milliseconds verdict_pause{10'000};
  std::string purpose;  ///< "publish" or "consume", for logs and the broker's connection name
};

/// Base of the two connections of the rabbit driver. Connects from the first `open` until `shut`,
/// again and again; derived classes replay what they need in `link_up`.
///
/// Not thread safe: everything happens on the executor given.
class amqp_link : public std::enable_shared_from_this<amqp_link>, public amqp091::event_handler {
 public:
  amqp_link(boost::asio::any_io_executor ex, link_settings settings, logger log);
  ~amqp_link() override;
  amqp_link(const amqp_link&) = delete;
  amqp_link& operator=(const amqp_link&) = delete;

  /// Starts connecting unless that is under way or done.
  void open();
  /// Closes with the AMQP handshake within `limit`, then calls `done`. Nothing is reconnected.
  void shut(std::chrono::milliseconds limit, unique_function<void()> done);

  /// Called whenever what the members below answer may have changed.
  void watch(unique_function<void()> changed) { changed_ = std::move(changed); }

  /// False from the moment the connection ends, also before `link_down` is told.
  bool is_open() const noexcept { return state_ == state::open && !machine_closed_; }
  bool is_idle() const noexcept { return state_ == state::idle; }
  bool is_shut() const noexcept { return state_ == state::shut || state_ == state::closing; }
  /// Where the link is or was last trying to be: "host:port".
  const std::string& broker_name() const noexcept { return broker_name_; }
  /// Why the link is not open; nothing before the first attempt ended.
  const std::optional<failure>& last_failure() const noexcept { return last_failure_; }

  /// Writes what the machine has pending, now or as soon as the socket takes it.
  void flush();
  /// Flushes once at the end of the loop's current turn, however often it is called.
  void flush_later();
  /// Between the two `flush_later` does nothing: `release` flushes.
  void hold() noexcept { held_ = true; }
  void release();

 protected:
  /// Precondition: `is_open()`.
  amqp091::connection& machine() noexcept { return *machine_; }

  /// The connection is open: declare, consume, publish again.
  virtual void link_up() = 0;
  /// The connection was lost (`was_open`) or an attempt failed.
  virtual void link_down(const failure& why, bool was_open) = 0;
  /// The events of one read are about to be delivered.
  virtual void input_begins() {}
  /// Every event of one read has been delivered.
  virtual void input_done() {}
  /// A socket that was full took everything.
  virtual void output_drained() {}

  /// How long a little input may lie unread, so that it is read in bulk, which saves a wake-up for
  /// each piece.
  enum class patience : std::uint8_t {
    none,
    brief,  ///< some 200 bytes, 1 ms: little beside what so many messages take anyway
    ample,  ///< some 1,000 bytes, 20 ms: nobody waits for it
  };
  /// Once input may have lain so long, whatever comes next is read at once, and only then in bulk
  /// again.
  void read_with(patience p);

  const logger& log() const noexcept { return log_; }
  void changed() {
    if (changed_) changed_();
  }

 private:
  enum class state { idle, waiting, connecting, handshake, open, closing, shut };

  void attempt_later(std::chrono::milliseconds at_least, bool answered);
  void attempt();
  void connected(std::uint64_t generation, result<void> r);
  void read(std::uint64_t generation);
  void after_machine();
  void stream_ended(const boost::system::error_code& why);
  void lose(failure why);
  bool worth_saying(const failure& why);
  void arm_timer();
  void on_timer();
  void finish_shut();

  void on_open(const amqp091::field_table& server_properties) final;
  void on_closed(const amqp091::close_reason& why) final;

  boost::asio::any_io_executor executor_;
  link_settings settings_;
  logger log_;
  protocol::backoff backoff_;
  boost::asio::steady_timer retry_timer_;
  boost::asio::steady_timer machine_timer_;
  boost::asio::steady_timer patience_timer_;
  std::chrono::steady_clock::time_point armed_until_{};

  state state_ = state::idle;
  std::uint64_t generation_ = 0;  ///< of the stream; callbacks of older ones are ignored
  std::size_t next_broker_ = 0;
  std::chrono::steady_clock::time_point open_since_{};
  std::string broker_name_;
  std::optional<failure> last_failure_;
  std::string said_;  ///< the last failure that was logged for people to read
  std::chrono::steady_clock::time_point said_at_{};

  std::unique_ptr<stream> stream_;
  std::unique_ptr<amqp091::connection> machine_;
  std::optional<failure> machine_closed_;
  std::vector<char> input_;
  std::string output_;
  bool writing_ = false;
  bool flush_posted_ = false;
  bool in_machine_ = false;  ///< events are being delivered; a flush follows them
  bool held_ = false;
  patience patience_ = patience::none;
  bool overdue_ = false;  ///< patience has ended, and nothing has been read since
  std::chrono::steady_clock::time_point patience_until_{};  ///< of the armed timer; else the epoch
  unique_function<void()> shut_done_;
  unique_function<void()> changed_;
};

}  // namespace oslo::messaging::net
