// One request that a server has taken, until the bus has its reply.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <string>

#include "rpc/observers.hpp"
#include "rpc/server_state.hpp"

namespace oslo::messaging::rpc::detail {

/// Runs the handler of a request and sends its reply (docs/rpc.md).
///
/// Thread safety: `handle` once, on the executor; what `invocation` offers from any thread.
class served_request final : public invocation,
                             public request_info,
                             public std::enable_shared_from_this<served_request> {
 public:
  /// `late`: the message is still to be acknowledged.
  served_request(std::shared_ptr<server_state> s, std::unique_ptr<incoming_message> m,
                 bool late) noexcept
      : server_(std::move(s)), message_(std::move(m)), late_(late) {}
  ~served_request() override;

  void handle() noexcept;

  /// Precondition: the handler has been found.
  const request& what() const noexcept override { return *what_; }
  void succeed(std::string result_json) noexcept override;
  void fail(std::exception_ptr error) noexcept override;
  void abandon() noexcept override;
  void run(boost::asio::awaitable<std::string> handler) override;

  std::optional<clock::time_point> deadline() const noexcept override {
    return message_->deadline();
  }
  std::optional<std::chrono::milliseconds> remaining() const noexcept override;
  std::stop_token cancellation() const override;
  bool is_call() const noexcept override { return !message_->message_id().empty(); }
  bool redelivered() const noexcept override { return message_->redelivered(); }

 private:
  bool claim() noexcept { return !answered_.exchange(true); }
  void start_handler();
  void thrown(const std::exception_ptr& error) noexcept;
  void answer_with(const std::exception_ptr& error) noexcept;
  bool expired() const noexcept;
  void drop_expired() noexcept;
  void find_method();
  void prepare_request();
  void send(outgoing_reply&& r) noexcept;
  void send_answer(outgoing_reply&& r);
  void finish_cast(bool succeeded) noexcept;
  void stop_timers() noexcept;
  void log_failure(const std::exception_ptr& error, const remote_failure& described,
                   std::string_view when = {}) noexcept;
  void start_heartbeats();
  void beat_later(std::chrono::seconds period);
  void beat(std::chrono::seconds period) noexcept;

  std::shared_ptr<server_state> server_;
  std::unique_ptr<incoming_message> message_;
  request_header header_;
  std::optional<request> what_;
  struct translation {
    context ctxt;
    std::string args;
  };
  std::unique_ptr<const translation> translated_;  // of a serializer, or with the keys of a span
  const binding* binding_ = nullptr;
  std::unique_ptr<request_observer> seen_;  // null: nobody measures or traces
  std::atomic<bool> answered_{false};
  /// A handler that answers later: whether it has returned, and dropped its responder before.
  enum class started : unsigned char { no, running, running_without_responder };
  std::atomic<started> started_{started::no};
  const bool late_;
  /// Stops when the time of the caller or of the server is over.
  struct canceller {
    using callback = std::stop_callback<std::function<void()>>;
    std::stop_source source{};
    std::shared_ptr<scheduler> loop{};
    scheduler::timer_id timer = scheduler::timer_id::none;
    std::unique_ptr<callback> server_hurries{};
  };
  mutable std::mutex cancel_mutex_;
  mutable std::atomic<bool> cancellable_ = false;  // so that most requests need no lock to end
  mutable std::unique_ptr<canceller> canceller_;   // made when a handler asks; guarded by it
  bool monitored_ = false;
  std::mutex monitor_mutex_;  // a heartbeat and the reply must not use the message at once
  scheduler::timer_id heartbeat_ = scheduler::timer_id::none;  // guarded by it
  bool beating_ = false;                                       // guarded by it
};

}  // namespace oslo::messaging::rpc::detail
