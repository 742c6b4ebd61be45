// Completions that wait for an answer end with the execution context that they belong to. Not part
// of the API.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/system_executor.hpp>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)

namespace oslo::messaging::detail {

/// A completion whose operation belongs to no service of its context, so that the context would end
/// without it. Entered in its home it is dropped with the context, as Asio's own operations are.
class waiting_completion {
 public:
  virtual ~waiting_completion() = default;
  /// Enters the home of a context. False: the context ends, and so has this.
  bool enter(boost::asio::execution_context& context);
  /// True: this was not dropped, and is no more. Its context lives until `left`.
  bool claim();
  void left() noexcept;

 protected:
  /// Destroys the handler and whatever else refers to the context.
  virtual void drop() noexcept = 0;
  std::shared_ptr<waiting_completion> self_;  // while its home knows it

 private:
  friend class completion_home;
  std::shared_ptr<class completion_home> home_;  // null: the context never ends
  waiting_completion* next_ = nullptr;
  waiting_completion* previous_ = nullptr;
};

template <class Executor>
boost::asio::execution_context& context_of(const Executor& ex) {
  if constexpr (boost::asio::can_query_v<const Executor&, boost::asio::execution::context_t>)
    return boost::asio::query(ex, boost::asio::execution::context);
  else
    return ex.context();
}

/// A handler of Asio, and work for its executor, until its operation has ended.
template <class Handler>
class waiting_handler {
 public:
  explicit waiting_handler(Handler h) : held_(std::make_shared<held>(std::move(h))) {
    if (!held_->enter_home(held_)) held_.reset();
  }
  waiting_handler(waiting_handler&&) noexcept = default;
  waiting_handler& operator=(waiting_handler&&) = delete;
  ~waiting_handler() {
    finish([](const auto&, Handler) {});
  }

  /// Calls `use(executor, handler)`, or nothing when the executor's context has ended. The work
  /// guard is held until `use` has returned: the context may be destroyed as soon as it runs out of
  /// work, which must not happen while this thread is still waking it.
  template <class F>
  void finish(F&& use) {
    const auto h = std::exchange(held_, nullptr);
    if (!h || !h->claim()) return;
    struct at_end {
      held& of;
      ~at_end() { of.left(); }
    } const leaves{*h};
    auto content = *std::exchange(h->content, std::nullopt);
    use(content.work.get_executor(), std::move(content.handler));
  }

 private:
  using executor = boost::asio::associated_executor_t<Handler>;

  struct held final : waiting_completion {
    struct contents {
      Handler handler;
      boost::asio::executor_work_guard<executor> work;
    };

    explicit held(Handler h) {
      boost::asio::executor_work_guard<executor> work(boost::asio::get_associated_executor(h));
      content.emplace(contents{std::move(h), std::move(work)});
    }
    bool enter_home(const std::shared_ptr<held>& self) {
      self_ = self;
      if (enter(context_of(content->work.get_executor()))) return true;
      self_.reset();
      return false;
    }
    void drop() noexcept override { content.reset(); }

    std::optional<contents> content;
  };

  std::shared_ptr<held> held_;
};

/// One that names no executor belongs to no context.
template <class Handler>
requires std::is_same_v<boost::asio::associated_executor_t<Handler>, boost::asio::system_executor>
class waiting_handler<Handler> {
 public:
  explicit waiting_handler(Handler h) : handler_(std::move(h)) {}
  waiting_handler(waiting_handler&& other) noexcept
      : handler_(std::exchange(other.handler_, std::nullopt)) {}
  waiting_handler& operator=(waiting_handler&&) = delete;

  template <class F>
  void finish(F&& use) {
    if (auto h = std::exchange(handler_, std::nullopt))
      use(boost::asio::system_executor(), *std::move(h));
  }

 private:
  std::optional<Handler> handler_;
};

/// Runs `f` on `executor`, at once where that is possible. `inside`: this is still the initiation
/// of an operation, which must not resume the coroutine that has called it. Nobody's coroutines run
/// in the system context, whose threads a fork does not copy, but futures are told from there.
template <class Executor, class F>
void resume_on(const Executor& executor, bool inside, F&& f) {
  // The system executor stands for none, and would end the process when `f` throws.
  if constexpr (std::is_same_v<Executor, boost::asio::system_executor>)
    std::forward<F>(f)();
  else if (inside && &context_of(executor) != &context_of(boost::asio::system_executor()))
    boost::asio::post(executor, std::forward<F>(f));
  else
    boost::asio::dispatch(executor, std::forward<F>(f));
}

}  // namespace oslo::messaging::detail

#pragma GCC visibility pop
