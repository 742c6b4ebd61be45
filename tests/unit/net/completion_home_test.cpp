#include <gtest/gtest.h>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <future>
#include <memory>
#include <oslo/messaging/asio.hpp>
#include <oslo/messaging/detail/completion_home.hpp>
#include <thread>

namespace oslo::messaging::detail {
namespace {

namespace asio = boost::asio;

/// Counts its calls, and is seen to be destroyed.
struct probe {
  std::shared_ptr<int> calls = std::make_shared<int>();
  void operator()() const { ++*calls; }
};

template <class Executor>
auto waiting_on(const Executor& ex, probe p) {
  return waiting_handler(asio::bind_executor(ex, std::move(p)));
}

template <class Waiting>
void complete(Waiting& w) {
  w.finish([](const auto& ex, auto handler) { asio::post(ex, std::move(handler)); });
}

TEST(completion_home, a_handler_runs_once_and_is_work_for_its_executor_until_then) {
  asio::io_context io;
  probe p;
  auto waiting = waiting_on(io.get_executor(), p);
  EXPECT_EQ(io.poll(), 0u);
  EXPECT_FALSE(io.stopped());  // it has work
  complete(waiting);
  complete(waiting);
  EXPECT_EQ(io.run(), 1u);
  EXPECT_EQ(*p.calls, 1);
}

TEST(completion_home, a_context_takes_what_waits_along) {
  probe first, second, third;
  auto io = std::make_unique<asio::io_context>();
  auto a = waiting_on(io->get_executor(), first);
  auto b = std::make_unique<decltype(waiting_on(io->get_executor(), second))>(
      waiting_on(io->get_executor(), second));
  auto c = waiting_on(asio::any_io_executor(asio::make_strand(*io)), third);
  b.reset();  // dropped by its operation
  EXPECT_EQ(second.calls.use_count(), 1);
  io.reset();
  EXPECT_EQ(first.calls.use_count(), 1);
  EXPECT_EQ(third.calls.use_count(), 1);
  bool used = false;
  a.finish([&](const auto&, auto) { used = true; });
  c.finish([&](const auto&, auto) { used = true; });
  EXPECT_FALSE(used);
}

/// A coroutine frame holds the client through which it waits, and others.
TEST(completion_home, one_that_is_dropped_may_end_others) {
  struct owner {
    std::shared_ptr<void> other;
    void operator()() const {}
  };
  auto io = std::make_unique<asio::io_context>();
  probe p;
  using other_type = decltype(waiting_on(io->get_executor(), p));
  auto other = std::make_shared<other_type>(waiting_on(io->get_executor(), p));
  auto waiting = waiting_handler(asio::bind_executor(io->get_executor(), owner{other}));
  other.reset();
  io.reset();
  EXPECT_EQ(p.calls.use_count(), 1);
}

/// Nobody waits any more for whoever would still use the context.
TEST(completion_home, nothing_is_completed_in_a_context_that_ends) {
  using other_type = decltype(waiting_on(std::declval<asio::io_context::executor_type>(), probe{}));
  struct last_words {
    std::shared_ptr<other_type> other;
    void operator()() const {}
    ~last_words() {
      if (!other) return;
      bool used = false;
      other->finish([&](const auto&, auto) { used = true; });
      EXPECT_FALSE(used);
    }
    explicit last_words(std::shared_ptr<other_type> o) : other(std::move(o)) {}
    last_words(last_words&&) noexcept = default;
  };
  auto io = std::make_unique<asio::io_context>();
  probe p;
  auto other = std::make_shared<other_type>(waiting_on(io->get_executor(), p));
  auto waiting =
      waiting_handler(asio::bind_executor(io->get_executor(), last_words(std::move(other))));
  io.reset();
  EXPECT_EQ(p.calls.use_count(), 1);
}

TEST(completion_home, what_begins_while_its_context_ends_is_dropped_at_once) {
  struct last_words {
    asio::io_context* io;
    probe p;
    bool armed = true;
    last_words(asio::io_context* i, probe q) : io(i), p(std::move(q)) {}
    last_words(last_words&& o) noexcept : io(o.io), p(o.p), armed(std::exchange(o.armed, false)) {}
    ~last_words() {
      if (!armed) return;
      auto late = waiting_on(io->get_executor(), p);
      bool used = false;
      late.finish([&](const auto&, auto) { used = true; });
      EXPECT_FALSE(used);
    }
    void operator()() const {}
  };
  auto io = std::make_unique<asio::io_context>();
  probe p;
  auto waiting = waiting_handler(asio::bind_executor(io->get_executor(), last_words(io.get(), p)));
  io.reset();
  EXPECT_EQ(p.calls.use_count(), 1);
}

TEST(completion_home, executors_without_a_context_of_their_own_are_served_too) {
  probe inline_one, adapted;
  auto a = waiting_on(asio::system_executor(), inline_one);
  a.finish([](const auto&, auto handler) { handler(); });
  EXPECT_EQ(*inline_one.calls, 1);

  std::promise<void> done;
  auto b = waiting_on(as_asio_executor(thread_pool(1)), adapted);
  b.finish([&](const auto& ex, auto handler) {
    asio::post(ex, [&, handler = std::move(handler)]() mutable {
      handler();
      done.set_value();
    });
  });
  done.get_future().get();
  EXPECT_EQ(*adapted.calls, 1);
}

/// Completions come from the loops of transports while the application destroys its context.
TEST(completion_home, contexts_end_while_other_threads_complete) {
  constexpr int rounds = 300;
  for (int round = 0; round < rounds; ++round) {
    auto io = std::make_unique<asio::io_context>();
    probe p;
    std::vector<decltype(waiting_on(io->get_executor(), p))> all;
    for (int i = 0; i < 20; ++i) all.push_back(waiting_on(io->get_executor(), p));
    std::promise<void> go;
    std::thread completer([&, begun = go.get_future()]() mutable {
      begun.get();
      for (auto& w : all) complete(w);
    });
    go.set_value();
    io.reset();
    completer.join();
    all.clear();
    EXPECT_EQ(p.calls.use_count(), 1);
    EXPECT_EQ(*p.calls, 0);
  }
}

}  // namespace
}  // namespace oslo::messaging::detail
