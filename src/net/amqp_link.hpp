// Keeps one AMQP connection alive: does what its link policy says, with sockets and a timer.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/function.hpp>
#include <oslo/messaging/logger.hpp>
#include <string>
#include <vector>

#include "net/link.hpp"
#include "net/link_settings.hpp"
#include "net/look_up.hpp"
#include "net/stream.hpp"
#include "net/tls_client.hpp"
#include "protocol/link_policy.hpp"

namespace oslo::messaging::net {

/// Connects from the first `open` until `shut`, again and again. An exception from below, or from
/// the user, counts as a failed attempt or as the end of the connection.
///
/// Not thread safe: everything happens on the executor given.
class amqp_link final : public link,
                        public std::enable_shared_from_this<amqp_link>,
                        private amqp091::event_handler {
 public:
  amqp_link(boost::asio::any_io_executor ex, link_settings settings, logger log);
  ~amqp_link() override;
  amqp_link(const amqp_link&) = delete;
  amqp_link& operator=(const amqp_link&) = delete;

  /// Once, before `open`. `user` stays until `shut` is done, or until this link is destroyed.
  void serve(link_user& user) noexcept { user_ = &user; }

  /// Closes with the AMQP handshake within `limit`, then calls `done`. Nothing is reconnected, and
  /// the user is told nothing more after `done`.
  void shut(std::chrono::milliseconds limit, unique_function<void()> done);

  /// Called whenever what the members below answer may have changed.
  void watch(unique_function<void()> changed) { changed_ = std::move(changed); }
  bool is_idle() const noexcept { return policy_.is_idle(); }

  /// When the certificate that the broker has shown expires; none without TLS or a connection.
  std::optional<std::chrono::sys_seconds> peer_valid_until() const;

  /// Writes what the machine has pending, now or as soon as the socket takes it.
  void flush();
  /// Between the two `flush_later` does nothing: `release` flushes.
  void hold() noexcept { held_ = true; }
  void release();

  // Of `link`.
  void open() override;
  bool is_open() const noexcept override;
  bool is_shut() const noexcept override { return policy_.is_shut(); }
  bool is_blocked() const noexcept override { return policy_.is_blocked(); }
  amqp091::connection& machine() noexcept override;
  void renew(failure why) override;
  void flush_later() override;
  void read_with(patience p) override;
  const std::string& broker_name() const noexcept override { return policy_.where(); }
  const std::optional<failure>& last_failure() const noexcept override {
    return policy_.last_failure();
  }
  const failure* verdict() const noexcept override { return policy_.verdict(); }
  const logger& log() const noexcept override { return log_; }
  instant now() const override { return std::chrono::steady_clock::now(); }

 private:
  struct session;  ///< one connection: stream, machine, buffers
  using session_ptr = std::shared_ptr<session>;
  using try_id = protocol::act::try_id;

  template <class Work>
  void enter(Work work) noexcept;
  void fault(failure why);
  void obey(protocol::link_actions actions);
  void act(const protocol::act::look_up& a);
  void act(const protocol::act::dial& a);
  void act(const protocol::act::give_up& a);
  void act(const protocol::act::converse& a);
  void act(const protocol::act::limit_silence& a);
  void act(const protocol::act::say_goodbye& a);
  void act(const protocol::act::hang_up& a);
  void act(const protocol::act::report_up& a);
  void act(const protocol::act::report_down& a);
  void act(const protocol::act::report_shut& a);
  void act(const protocol::act::say& a);

  void read(const session_ptr& s);
  void took_input(const session_ptr& s, const boost::system::error_code& ec, std::size_t n);
  void write_pending();
  void stream_ended(session& s, const boost::system::error_code& ec);
  void after_machine();
  void arm();
  void on_timer();
  template <class Call>
  void tell_user(Call call) noexcept;
  void changed() {
    if (changed_) changed_();
  }

  // Of the machine; the user's own events follow.
  void on_open(const amqp091::field_table&) override;
  void on_closed(const amqp091::close_reason& why) override;
  void on_channel_open(amqp091::channel_id ch) override;
  void on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) override;
  void on_request_ok(amqp091::channel_id ch, amqp091::request_id request, std::string_view name,
                     std::uint32_t messages, std::uint32_t consumers) override;
  void on_delivery(const amqp091::delivery& d) override;
  void on_delivery_refused(const amqp091::delivery& d, std::string_view why) override;
  void on_consumer_cancelled(amqp091::channel_id ch, std::string_view tag) override;
  void on_return(const amqp091::returned_message& m) override;
  void on_confirm(amqp091::channel_id ch, std::uint64_t sequence, bool multiple, bool ack) override;
  void on_blocked(std::string_view reason) override;
  void on_unblocked() override;

  boost::asio::any_io_executor executor_;
  link_settings settings_;
  logger log_;
  link_user* user_ = nullptr;
  protocol::link_policy policy_;
  tls_client tls_;
  boost::asio::steady_timer timer_;
  instant armed_until_ = instant::max();

  std::deque<protocol::link_action> to_obey_;
  bool obeying_ = false;
  std::map<try_id, std::unique_ptr<look_up>> look_ups_;
  std::map<try_id, std::unique_ptr<stream>> dials_;
  session_ptr session_;
  bool flush_posted_ = false;
  bool held_ = false;
  std::vector<unique_function<void()>> shut_done_;
  unique_function<void()> changed_;
};

}  // namespace oslo::messaging::net
