// Keeps one AMQP 1.0 connection alive: does what its link policy says, with sockets and a timer.
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
#include <string_view>
#include <vector>

#include "drivers/amqp1/link.hpp"
#include "net/look_up.hpp"
#include "net/stream.hpp"
#include "net/tls_client.hpp"
#include "protocol/link_policy.hpp"

namespace oslo::messaging::amqp1 {

/// One broker and how to log in there.
struct broker {
  net::endpoint where;
  std::string username{};  ///< empty: anonymous, or by certificate
  std::string password{};
};

struct link_settings {
  std::vector<broker> brokers;    ///< at least one
  connection_options connection;  ///< user name and password are those of the broker
  net::tls_options tls;
  protocol::backoff_options backoff;  ///< between full passes over the brokers
};

/// Throws `configuration_error` for what could never work: certificate files that cannot be used,
/// no host, port 0, a login that the protocol cannot carry.
void check(const link_settings& settings);

/// Connects from the first `open` until `shut`, again and again. An exception from below, or from
/// the user, counts as a failed attempt or as the end of the connection.
///
/// Not thread safe: everything happens on the executor given.
class socket_link final : public link,
                          public std::enable_shared_from_this<socket_link>,
                          private connection_events {
 public:
  socket_link(boost::asio::any_io_executor ex, link_settings settings, logger log);
  ~socket_link() override;

  /// Once, before `open`. `user` stays until `shut` is done, or until this link is destroyed.
  void serve(link_user& user) noexcept { user_ = &user; }
  /// Closes with the AMQP handshake within `limit`, then calls `done`. Nothing is reconnected, and
  /// the user is told nothing more after `done`.
  void shut(std::chrono::milliseconds limit, unique_function<void()> done);
  /// Called whenever what the members below answer may have changed.
  void watch(unique_function<void()> changed) { changed_ = std::move(changed); }
  bool is_idle() const noexcept { return policy_.is_idle(); }
  /// The address that the open connection was dialled at, "host:port"; empty without one.
  std::string_view peer() const noexcept;
  /// When the certificate that the broker has shown expires; none without TLS or a connection.
  std::optional<std::chrono::sys_seconds> peer_valid_until() const;
  /// The last failure when it was a verdict of every host.
  const failure* verdict() const noexcept { return policy_.verdict(); }

  // Of `link`.
  void open() override;
  bool is_open() const noexcept override;
  bool is_shut() const noexcept override { return policy_.is_shut(); }
  connection& machine() noexcept override;
  void flush_later() override;
  const std::string& broker_name() const noexcept override { return policy_.where(); }
  const std::optional<failure>& last_failure() const noexcept override {
    return policy_.last_failure();
  }
  const logger& log() const noexcept override { return log_; }
  instant now() const override { return std::chrono::steady_clock::now(); }

 private:
  struct session;  ///< one connection: stream, machine, buffers
  struct dialled {
    protocol::endpoint address;
    std::unique_ptr<net::stream> wire;
  };
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
  void wrote(const session_ptr& s, const boost::system::error_code& ec);
  void stream_ended(session& s, const boost::system::error_code& ec);
  void after_machine();
  void arm();
  void on_timer();
  template <class Call>
  void tell_user(Call call) noexcept;
  void changed() {
    if (changed_) changed_();
  }

  // Of the machine.
  void on_open(const peer_description& peer) override;
  void on_closed(const ending& why) override;
  void on_link_open(link_id link, std::string_view address) override;
  void on_link_closed(link_id link, const condition& why) override;
  void on_link_gone(link_id link) override;
  void on_credit(link_id link) override;
  void on_outcome(link_id link, delivery_id message, const disposition& v) override;
  void on_delivery(link_id link, delivery_id message, std::string_view bytes,
                   bool settled) override;

  boost::asio::any_io_executor executor_;
  link_settings settings_;
  logger log_;
  link_user* user_ = nullptr;
  protocol::link_policy policy_;
  net::tls_client tls_;
  boost::asio::steady_timer timer_;
  instant armed_until_ = instant::max();

  std::deque<protocol::link_action> to_obey_;
  bool obeying_ = false;
  std::map<try_id, std::unique_ptr<net::look_up>> look_ups_;
  std::map<try_id, dialled> dials_;
  session_ptr session_;
  peer_description peer_;
  bool flush_posted_ = false;
  std::vector<unique_function<void()>> shut_done_;
  unique_function<void()> changed_;
};

}  // namespace oslo::messaging::amqp1
