// The bus that a conformance test runs over, and small things that its tests share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <oslo/messaging/messaging.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "support/broker.hpp"

namespace oslo::messaging::conformance {

using namespace std::chrono_literals;
using testing::unique_name;

/// Longer than anything takes that works.
inline constexpr auto patience = 30s;

/// One row of the suite, and what tests cannot learn from the driver's `capabilities`.
struct bus_kind {
  std::string name;  ///< of the row only; no test asks for it
  std::function<transport(transport_options)> open;
  /// The bus throws away a message whose sender does not wait for it any more.
  bool drops_expired = false;
  /// The bus makes a queue for whoever sends to it: every message has somewhere to wait.
  bool keeps_for_nobody = false;
  /// The bus knows the address of a caller for a moment longer than the caller is there.
  bool forgets_late = false;
  /// Nothing is between sender and servers: a cast ends when a server has room for it, and a
  /// notification that nobody listens for is gone.
  bool without_broker = false;
  /// What the bus keeps for single servers of a topic, as a text; null where nobody can look.
  std::function<std::string(const std::string& topic)> private_queues{};

  friend void PrintTo(const bus_kind& b, std::ostream* out) { *out << b.name; }
};

/// Every row that can run here; drivers.cpp lists them.
std::vector<bus_kind> all_buses();

/// A test with a topic of its own.
class test_over_bus : public ::testing::TestWithParam<bus_kind> {
 protected:
  static transport open(transport_options o = {}) { return GetParam().open(std::move(o)); }
  static capabilities caps() { return open().driver().caps(); }

  std::string topic = unique_name("conformance");
};

/// A test with a transport for servers and another for clients, both of its own.
class bus_test : public test_over_bus {
 protected:
  transport server_bus = open();
  transport client_bus = open();
};

/// A value that another thread will set; `get` fails the test when it does not come.
template <class T>
class expected {
 public:
  void set(T v) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(v));
    changed_.notify_all();
  }
  /// The next value, in the order of `set`.
  T get() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [&] { return next_ < values_.size(); }))
      throw std::runtime_error("nothing came within " + std::to_string(patience.count()) + " s");
    return values_[next_++];
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return values_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<T> values_;
  std::size_t next_ = 0;
};

/// Opens once, for all that wait.
class gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// False when it does not open in time.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

/// An endpoint with the methods that most tests call.
std::shared_ptr<rpc::endpoint> standard_endpoint(target accepts = {});

/// A started server.
std::unique_ptr<rpc::server> serve(const transport& bus, const std::string& topic,
                                   const std::string& name,
                                   std::vector<std::shared_ptr<rpc::endpoint>> endpoints,
                                   rpc::server_options o = {});

std::string name_of(const ::testing::TestParamInfo<bus_kind>& info);

/// Runs `f` on the transport's loop, and waits for it.
template <class F>
auto on_loop(const transport& bus, F f) {
  const auto task = std::make_shared<std::packaged_task<decltype(f())()>>(std::move(f));
  auto done = task->get_future();
  bus.loop().post([task] { (*task)(); });
  if (done.wait_for(patience) != std::future_status::ready)
    throw std::runtime_error("the loop does not run");
  return done.get();
}

/// A 1:1 answer of the SPI, waited for.
result<reply> send_and_wait(const transport& bus, const target& to, outgoing_message m,
                            send_options o);
/// A started subscription of a server; a pull from it. `bus` is the transport it is of.
std::shared_ptr<listener> listen(const transport& bus, const target& on);
incoming_batch pull(const transport& bus, listener& from, std::size_t max);

}  // namespace oslo::messaging::conformance

/// Puts a suite on every bus.
#define OSLO_CONFORMANCE_SUITE(Suite)                                                 \
  INSTANTIATE_TEST_SUITE_P(bus, Suite, ::testing::ValuesIn(conformance::all_buses()), \
                           conformance::name_of)

/// Skips the test over a driver without that member of `capabilities`.
#define OSLO_NEEDS(capability) \
  if (!caps().capability) GTEST_SKIP() << "The driver has no " #capability "."
