// What a server shares with the requests it has taken.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <memory>
#include <oslo/messaging/rpc/server.hpp>
#include <vector>

#include "core/waiting.hpp"
#include "rpc/dispatcher.hpp"

namespace oslo::messaging::rpc::detail {

/// The life of one server: pulls from its listener on the loop, hands requests to the executor and
/// keeps count of them.
///
/// Members marked "loop" are touched on the transport's loop only.
class server_state : public std::enable_shared_from_this<server_state> {
 public:
  server_state(transport bus, target on, std::vector<std::shared_ptr<endpoint>> endpoints,
               server_options o);

  void async_start(unique_function<void(result<void>)> done);
  void stop();
  void async_wait(unique_function<void()> done);
  /// True on the loop and inside a plain handler of this server.
  bool waiting_would_deadlock() const noexcept;

  /// Gives the executor away, so that it ends on the thread that destroys the server and not on one
  /// of its own. Precondition: drained, and never started again.
  std::shared_ptr<messaging::executor> retire() {
    coroutines = {};
    return std::move(executor);
  }

  // For requests, from any thread.
  /// The handler of a request has ended: there is room for another.
  void made_room();
  /// The bus has the answer of a request, or will never have it.
  void settled();

  transport bus;
  const target on;
  const server_options options;
  std::shared_ptr<messaging::executor> executor;
  boost::asio::any_io_executor coroutines;  ///< the same, for coroutine handlers
  const dispatcher endpoints;
  std::atomic<std::size_t> running{0};  ///< requests without an answer
  std::atomic<std::size_t> open{0};     ///< requests whose answer the bus has not confirmed

 private:
  enum class phase { stopped, starting, listening, stopping };

  void start_on_loop(unique_function<void(result<void>)> done);
  void listening(result<void> verdict);
  void pull();
  void take(incoming_batch batch);
  void ended();
  void drop_listener();
  void tell_waiters();

  const std::size_t limit_;
  phase phase_ = phase::stopped;                                 // loop
  std::unique_ptr<listener> listener_;                           // loop
  std::vector<unique_function<void(result<void>)>> on_started_;  // loop
  std::vector<unique_function<void()>> on_drained_;              // loop
  bool taking_ = false;                                          // loop
  bool pulling_ = false;                                         // loop
  std::atomic<bool> starved_{false};                             // `pull` found no room
  std::atomic<bool> draining_{false};  // somebody waits for `open` to become 0
};

/// Marks the task (the thread, or the fiber on it) as running a plain handler of one server.
class handler_scope {
 public:
  explicit handler_scope(const void* server) noexcept
      : outer_(std::exchange(task_owner(), server)) {}
  ~handler_scope() { task_owner() = outer_; }
  handler_scope(const handler_scope&) = delete;
  handler_scope& operator=(const handler_scope&) = delete;
  static const void* current() noexcept { return task_owner(); }

 private:
  const void* outer_;
};

}  // namespace oslo::messaging::rpc::detail
