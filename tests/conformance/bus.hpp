// The bus that a conformance test runs over, and small things that its tests share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <vector>

#include "support/broker.hpp"

namespace oslo::messaging::conformance {

using namespace std::chrono_literals;
using testing::unique_name;

/// Longer than anything takes that works.
inline constexpr auto patience = 30s;

/// One row of the suite.
struct bus_kind {
  const char* name;
  std::string (*url)();
};

/// The row of that name, if it can run: fake always, rabbit when OSLO_TEST_RABBIT_URL is set.
std::vector<bus_kind> buses(std::string_view name);

/// A test with a transport for servers and another for clients, both of its own.
class bus_test : public ::testing::TestWithParam<bus_kind> {
 protected:
  transport open() { return open_transport(GetParam().url()); }

  transport server_bus = open();
  transport client_bus = open();
  std::string topic = unique_name("conformance");
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

/// Puts suites on every bus.
std::string name_of(const ::testing::TestParamInfo<bus_kind>& info);

/// A 1:1 answer of the SPI, waited for.
result<reply> send_and_wait(const transport& bus, const target& to, outgoing_message m,
                            send_options o);
incoming_batch pull(listener& from, std::size_t max);
void wait_ready(listener& l);

}  // namespace oslo::messaging::conformance

#define OSLO_CONFORMANCE_SUITE(Suite)                                                        \
  INSTANTIATE_TEST_SUITE_P(fake, Suite, ::testing::ValuesIn(conformance::buses("fake")),     \
                           conformance::name_of);                                            \
  INSTANTIATE_TEST_SUITE_P(rabbit, Suite, ::testing::ValuesIn(conformance::buses("rabbit")), \
                           conformance::name_of);                                            \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Suite)
