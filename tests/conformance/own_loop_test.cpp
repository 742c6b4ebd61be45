// Servers and clients inside loops that belong to the application.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <optional>
#include <set>
#include <thread>

#include "bus.hpp"

namespace oslo::messaging::conformance {
namespace {

namespace asio = boost::asio;

class own_loop_over : public test_over_bus {
 protected:
  void SetUp() override { OSLO_NEEDS(rpc); }
  target server_target() const {
    target t;
    t.topic = topic;
    t.server = "s";
    return t;
  }
  target client_target() const {
    target t;
    t.topic = topic;
    return t;
  }
  rpc::client_options patient() const {
    rpc::client_options o;
    o.timeout = patience;
    return o;
  }
};

/// Calls `add` and `later`, which is a coroutine.
asio::awaitable<int> ask(rpc::client client) {
  const value args{{"a", 1}, {"b", 2}};
  const value sum = co_await client.call("add", context{}, args);
  const value later = co_await client.call("later", context{}, args);
  co_return static_cast<int>(sum.as_int64() * 10 + later.as_int64());
}

asio::awaitable<int> wait_a_little() {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  co_return 7;
}

TEST_P(own_loop_over, one_thread_of_the_application_does_everything) {
  asio::io_context io;
  std::set<std::thread::id> threads;  // not guarded: there is one
  transport_options o;
  o.loop = asio_scheduler(io.get_executor());
  std::optional<transport> bus(open(std::move(o)));

  auto e = std::make_shared<rpc::endpoint>();
  e->bind("add", [&](std::map<std::string, int> args) {
    threads.insert(std::this_thread::get_id());
    return args["a"] + args["b"];
  });
  e->bind("later", [&](const value&) -> asio::awaitable<int> {
    threads.insert(std::this_thread::get_id());
    return wait_a_little();
  });
  rpc::server_options so;
  so.executor = asio_executor(io.get_executor(), 4);
  std::optional<rpc::server> server(std::in_place, *bus, server_target(), std::vector{e}, so);
  int answer = 0;
  server->async_start([&](result<void> started) {
    started.value();
    asio::co_spawn(io, ask(rpc::client(*bus, client_target(), patient())),
                   [&](std::exception_ptr error, int a) {
                     threads.insert(std::this_thread::get_id());
                     answer = error ? -1 : a;
                     server->stop();
                     server->async_wait([&] {
                       server.reset();
                       bus.reset();
                     });
                   });
  });
  const auto start = std::chrono::steady_clock::now();
  io.run_for(patience);
  EXPECT_EQ(answer, 37);
  EXPECT_EQ(threads, std::set{std::this_thread::get_id()});
  EXPECT_LT(std::chrono::steady_clock::now() - start, patience)
      << "something of the transport still waits in the loop";
  EXPECT_FALSE(bus) << "the server did not drain";
}

TEST_P(own_loop_over, handlers_on_a_strand_never_run_at_once) {
  asio::io_context io;
  auto work = asio::make_work_guard(io);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { io.run(); });
  {
    const auto strand = asio::make_strand(io);
    transport_options o;
    o.loop = asio_scheduler(strand);
    const transport bus = open(o);
    int hits = 0;  // guarded by the strand alone
    bool inside = true;
    auto e = std::make_shared<rpc::endpoint>();
    e->bind("hit", [&] {
      inside = inside && strand.running_in_this_thread();
      return ++hits;
    });
    rpc::server_options so;
    so.executor = asio_executor(strand, 8);
    const auto server = serve(bus, topic, "s", {e}, so);
    const blocking::client client(bus, client_target(), patient());
    std::vector<std::jthread> callers;
    for (int c = 0; c < 4; ++c)
      callers.emplace_back([&] {
        for (int i = 0; i < 50; ++i) client.call("hit", {});
      });
    callers.clear();
    EXPECT_EQ(client.call("hit", {}), 201);
    EXPECT_TRUE(inside);
  }
  work.reset();
}

/// An event loop that knows neither Asio nor this library, but for being an executor.
class epoll_loop final : public executor {
 public:
  epoll_loop() {
    watch(wake_, [this] { run_queue(); });
  }
  ~epoll_loop() override {
    ::close(wake_);
    ::close(epoll_);
  }
  epoll_loop(const epoll_loop&) = delete;
  epoll_loop& operator=(const epoll_loop&) = delete;

  void execute(unique_function<void()> work) override {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(work));
    }
    ::eventfd_write(wake_, 1);
  }
  std::size_t concurrency() const noexcept override { return 8; }

  void watch(int fd, std::function<void()> on_readable) {
    callbacks_[fd] = std::move(on_readable);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  void stop() { running_ = false; }
  /// False when nothing happened for too long.
  bool run() {
    while (running_) {
      epoll_event event{};
      if (::epoll_wait(epoll_, &event, 1, std::chrono::milliseconds(patience).count()) != 1)
        return false;
      callbacks_[event.data.fd]();
    }
    return true;
  }

 private:
  void run_queue() {
    eventfd_t count = 0;
    ::eventfd_read(wake_, &count);
    std::vector<unique_function<void()>> now;
    {
      const std::lock_guard lock(mutex_);
      now.swap(queue_);
    }
    for (auto& work : now) work();
  }

  const int epoll_ = ::epoll_create1(0);
  const int wake_ = ::eventfd(0, EFD_NONBLOCK);
  std::map<int, std::function<void()>> callbacks_;
  bool running_ = true;
  std::mutex mutex_;
  std::vector<unique_function<void()>> queue_;
};

TEST_P(own_loop_over, handlers_and_completions_run_beside_the_events_of_a_foreign_loop) {
  const auto loop = std::make_shared<epoll_loop>();
  const transport bus = open();
  std::set<std::thread::id> threads;
  int signals = 0, answers = 0;
  const int bell = ::eventfd(0, EFD_NONBLOCK);
  loop->watch(bell, [&] {
    eventfd_t rings = 0;
    ::eventfd_read(bell, &rings);
    signals += static_cast<int>(rings);
    threads.insert(std::this_thread::get_id());
  });
  auto e = std::make_shared<rpc::endpoint>();
  e->bind("ring", [&] {
    ::eventfd_write(bell, 1);
    threads.insert(std::this_thread::get_id());
    return 1;
  });
  e->bind("later", [&]() -> asio::awaitable<int> {
    threads.insert(std::this_thread::get_id());
    co_return 1;
  });
  rpc::server_options so;
  so.executor = loop;
  const auto server = serve(bus, topic, "s", {e}, so);
  const rpc::client client(bus, client_target(), patient());
  for (int i = 0; i < 20; ++i)
    rpc::detail::start_call(client, i % 2 ? "ring" : "later", {}, "{}", {},
                            [&](result<std::string> r) {
                              loop->execute([&, r = std::move(r)] {
                                threads.insert(std::this_thread::get_id());
                                answers += r && *r == "1" ? 1 : -100;
                                if (answers == 20) loop->stop();
                              });
                            });
  EXPECT_TRUE(loop->run());
  EXPECT_EQ(answers, 20);
  EXPECT_GE(signals, 1);
  EXPECT_EQ(threads, std::set{std::this_thread::get_id()});
  server->stop();
  server->wait(patience);
  ::close(bell);
}

/// Answers when the test lets it.
struct held_calls {
  std::promise<void> arrived;
  std::optional<rpc::responder<int>> call;

  std::shared_ptr<rpc::endpoint> endpoint() {
    auto e = std::make_shared<rpc::endpoint>();
    e->bind("hold", [this](rpc::responder<int> r) {
      call.emplace(std::move(r));
      arrived.set_value();
    });
    return e;
  }
};

/// Holds the transport while it waits, and is seen to end.
asio::awaitable<void> wait_for_hold(rpc::client client, std::shared_ptr<int>) {
  co_await client.call("hold", context{});
}

TEST_P(own_loop_over, a_context_that_ends_takes_its_pending_calls_along) {
  held_calls held;
  const auto server = serve(open(), topic, "s", {held.endpoint()});
  const auto frame = std::make_shared<int>();
  std::optional<transport> bus(open());
  auto io = std::make_unique<asio::io_context>();
  asio::co_spawn(*io, wait_for_hold(rpc::client(*bus, client_target(), patient()), frame),
                 asio::detached);
  io->poll();
  ASSERT_EQ(held.arrived.get_future().wait_for(patience), std::future_status::ready);
  bus.reset();
  EXPECT_GT(frame.use_count(), 1);
  io.reset();  // the coroutine had the last client
  EXPECT_EQ(frame.use_count(), 1);
  held.call->reply(1);  // to nobody
}

TEST_P(own_loop_over, a_context_ends_with_a_transport_and_its_pending_call_in_it) {
  held_calls held;
  const auto server = serve(open(), topic, "s", {held.endpoint()});
  const auto frame = std::make_shared<int>();
  auto io = std::make_unique<asio::io_context>();
  {
    transport_options o;
    o.loop = asio_scheduler(io->get_executor());
    asio::co_spawn(
        *io, wait_for_hold(rpc::client(open(std::move(o)), client_target(), patient()), frame),
        asio::detached);
  }
  auto arrived = held.arrived.get_future();
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (arrived.wait_for(0s) != std::future_status::ready &&
         std::chrono::steady_clock::now() < deadline)
    io->run_one_for(10ms);
  ASSERT_EQ(arrived.wait_for(0s), std::future_status::ready);
  io.reset();
  EXPECT_EQ(frame.use_count(), 1);
  held.call->reply(1);
}

OSLO_CONFORMANCE_SUITE(own_loop_over);

}  // namespace
}  // namespace oslo::messaging::conformance
