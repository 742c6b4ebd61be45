// An application with an event loop of its own, and handlers that run in it.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/describe/class.hpp>
#include <iostream>
#include <mutex>
#include <oslo/messaging/messaging.hpp>
#include <thread>
#include <utility>
#include <vector>

#include "expect.hpp"

namespace om = oslo::messaging;

/// Work waits in a queue, and a descriptor tells the application's loop that there is some.
class loop_executor final : public om::executor {
 public:
  ~loop_executor() override { ::close(wake_); }
  int descriptor() const { return wake_; }

  void execute(om::unique_function<void()> work) override {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    ::eventfd_write(wake_, 1);
  }
  std::size_t concurrency() const noexcept override { return 16; }

  void run_ready() {  // the loop calls this when the descriptor is readable
    eventfd_t count = 0;
    ::eventfd_read(wake_, &count);
    std::vector<om::unique_function<void()>> ready;
    std::unique_lock lock(mutex_);
    ready.swap(queue_);
    lock.unlock();
    for (auto& work : ready) work();
  }

 private:
  const int wake_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  std::mutex mutex_;
  std::vector<om::unique_function<void()>> queue_;
};

struct add_args {
  int a = 0, b = 0;
};
BOOST_DESCRIBE_STRUCT(add_args, (), (a, b))
constexpr om::rpc::method<int(add_args)> add{"add"};
constexpr om::rpc::method<void()> finish{"finish"};

int main() {
  const auto in_loop = std::make_shared<loop_executor>();
  const om::transport bus = om::open_transport("fake://");
  const auto main_thread = std::this_thread::get_id();
  bool running = true;  // handlers run in the loop, so it needs no lock
  auto calculator = std::make_shared<om::rpc::endpoint>();
  calculator->bind(add, [&](add_args x) {
    expect(std::this_thread::get_id() == main_thread, "handlers run in the application's loop");
    return x.a + x.b;
  });
  calculator->bind(finish, [&] { running = false; });
  om::rpc::server server{
      bus, {.topic = "calc", .server = "host1"}, {calculator}, {.executor = in_loop}};
  server.start();

  int sum = 0;
  std::thread caller([&] {
    const om::blocking::client client{bus, {.topic = "calc"}};
    sum = client.call(add, {}, {.a = 1, .b = 2});
    client.call(finish, {});
  });

  // The loop of the application; its timers and sockets would be here, too.
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, in_loop->descriptor(), &event);
  while (running)
    if (::epoll_wait(epoll, &event, 1, -1) == 1) in_loop->run_ready();
  ::close(epoll);

  caller.join();
  server.stop();
  server.wait();
  std::cout << "1 + 2 = " << sum << ", computed in the loop\n";
  expect(sum == 3, "the loop answered");
}
