// One connection to Redis: commands go out in order, and so come the answers. What is on the wire
// is the work of hiredis; sockets are Asio's, since those of hiredis 0.14 look up names on the loop
// and may raise SIGPIPE.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <deque>
#include <memory>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/function.hpp>
#include <string>
#include <vector>

#include "drivers/zmq/context.hpp"
#include "drivers/zmq/redis_reader.hpp"

namespace oslo::messaging::zmq {

using command = std::vector<std::string>;
/// A list of texts; of a single answer one element. Null: an empty list.
using answer = std::vector<std::string>;
using answered = unique_function<void(result<answer>)>;

/// Keeps itself connected while something asks: a command that finds it unconnected waits for the
/// connection, `longest_wait` at most. On the loop.
class redis_link final : public std::enable_shared_from_this<redis_link> {
 public:
  static constexpr std::size_t most_waiting = 10'000;

  redis_link(context_ptr c, host_port at);
  /// `changed` is called whenever `trouble()` has changed.
  void watch_trouble(unique_function<void()> changed) { on_trouble_ = std::move(changed); }
  void ask(const command& what, answered done);
  const std::string& trouble() const noexcept { return trouble_; }
  /// Takes no more questions, and closes when those before are answered, or soon; then it calls
  /// `done`. Once.
  void close_when_idle(unique_function<void()> done);

 private:
  void connect();
  void read();
  void write();
  void take();
  void lost(const std::string& why);
  void watch();
  void set_trouble(std::string text);

  const context_ptr context_;
  const host_port at_;
  boost::asio::ip::tcp::resolver resolver_;
  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<redis_reader> reader_;
  std::deque<answered> waiting_;
  std::string out_, writing_;
  std::array<char, 16'384> in_{};
  enum class state { idle, connecting, connected } state_ = state::idle;
  std::uint64_t answers_ = 0;
  std::uint64_t round_ = 0;  ///< what an earlier connection completes does not count
  scheduler::timer_id timer_ = scheduler::timer_id::none;
  std::string trouble_;
  bool closed_ = false;
  unique_function<void()> on_trouble_, on_closed_;
};

}  // namespace oslo::messaging::zmq
