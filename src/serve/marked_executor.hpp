// Where a coroutine handler runs, with a mark on the thread while it does.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <utility>

#include "core/tasks/task_scope.hpp"

namespace oslo::messaging::serve {

/// A coroutine handler, until it has ended.
struct running_handler {
  const void* owner;
  std::atomic<bool> ended{false};
};

/// Another Asio executor, of which each piece of work does the work of a handler's owner
/// (`task_owner`). Every resumption of the handler comes through here, wherever the operation that
/// it awaited has completed. What the handler has started on its executor and left behind works for
/// nobody once the handler has ended.
class marked_executor {
 public:
  marked_executor(boost::asio::any_io_executor inner, std::shared_ptr<const running_handler> what)
      : inner_(std::move(inner)), handler_(std::move(what)) {}

  template <class F>
  void execute(F&& f) const {
    inner_.execute([handler = handler_, f = std::decay_t<F>(std::forward<F>(f))]() mutable {
      const task_scope here(handler->ended ? task_owner() : handler->owner);
      auto once = std::move(f);  // what it holds ends in the scope, too
      std::move(once)();
    });
  }
  bool operator==(const marked_executor& other) const noexcept = default;

  // Everything else is up to the inner one.
  template <class P>
  requires boost::asio::can_query_v<const boost::asio::any_io_executor&, P>
  decltype(auto) query(const P& p) const { return boost::asio::query(inner_, p); }
  template <class P>
  requires boost::asio::can_require_v<const boost::asio::any_io_executor&, P> marked_executor
  require(const P& p)
  const { return {boost::asio::require(inner_, p), handler_}; }
  template <class P>
  requires boost::asio::can_prefer_v<const boost::asio::any_io_executor&, P> marked_executor
  prefer(const P& p)
  const { return {boost::asio::prefer(inner_, p), handler_}; }

 private:
  boost::asio::any_io_executor inner_;
  std::shared_ptr<const running_handler> handler_;
};

}  // namespace oslo::messaging::serve
