// One connection to one broker that is used step by step, by somebody who waits for each.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>

#include "net/amqp_link.hpp"

namespace oslo::messaging::rabbit {

/// Connects once, and is not connected again. Runs the loop itself while it waits.
///
/// Not thread safe. The loop outlives it.
class probe final : public net::link_user {
 public:
  using instant = net::link::instant;

  /// `settings` has one broker.
  probe(boost::asio::io_context& io, net::link_settings settings);
  ~probe() override;
  probe(const probe&) = delete;
  probe& operator=(const probe&) = delete;

  /// False when `until` came first.
  template <class Predicate>
  static bool run(boost::asio::io_context& io, Predicate done, instant until) {
    while (!done()) {
      if (std::chrono::steady_clock::now() >= until) return false;
      io.restart();
      io.run_one_until(until);
    }
    return true;
  }

  /// Begins to say goodbye, which the destructor waits for: half a second at most.
  void leave();

  bool is_up() const noexcept { return up_ && !lost_; }
  bool is_settled() const noexcept { return up_ || lost_; }
  /// Why it is not up, or no more.
  const std::optional<failure>& lost() const noexcept { return lost_; }
  /// Precondition of the next two: `is_up()`.
  const amqp091::field_table& server() { return link_->machine().server_properties(); }
  std::optional<std::chrono::sys_seconds> peer_valid_until() const {
    return link_->peer_valid_until();
  }

  enum class outcome : std::uint8_t {
    done,
    refused,  ///< the channel was closed, or the connection: `why`
    blocked,  ///< the broker takes no messages: `words`; only of `ask_to_send`
    late,     ///< no answer in time
    lost,     ///< the connection: `lost()`
  };
  struct answer {
    outcome what = outcome::late;
    std::uint32_t messages = 0, consumers = 0;
    amqp091::close_reason why{};
    std::string words{};

    bool refused(std::uint16_t code) const noexcept {
      return what == outcome::refused && why.code == code;
    }
  };
  /// What is asked for on a channel of its own; its last request has the id `asking`.
  using question = std::function<void(amqp091::connection&, amqp091::channel_id)>;
  static constexpr amqp091::request_id asking = 1;
  /// Throws nothing: what cannot be encoded is refused.
  answer ask(const question& q, instant until);
  /// With a message among it, of which a broker that takes none says no more than that.
  answer ask_to_send(const question& q, instant until);

 private:
  void link_up() override { up_ = true; }
  void link_down(const net::link_loss& loss) override;
  void on_request_ok(amqp091::channel_id ch, amqp091::request_id request, std::string_view name,
                     std::uint32_t messages, std::uint32_t consumers) override;
  void on_channel_closed(amqp091::channel_id ch, const amqp091::close_reason& why) override;
  void on_blocked(std::string_view reason) override { blocked_ = reason; }
  void on_unblocked() override { blocked_.reset(); }
  answer put(const question& q, instant until, bool sends);
  void open_channel(instant until);
  void close_channel();
  void answered(answer a) {
    if (!answer_) answer_ = std::move(a);
  }

  boost::asio::io_context& io_;
  std::shared_ptr<net::amqp_link> link_;
  bool up_ = false;
  std::optional<failure> lost_;
  std::shared_ptr<bool> gone_;  ///< null: it has not begun to leave
  amqp091::channel_id channel_ = 0, closing_ = 0;
  std::optional<answer> answer_;
  std::optional<std::string> blocked_;  ///< why the broker takes no messages
};

}  // namespace oslo::messaging::rabbit
