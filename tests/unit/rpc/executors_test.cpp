// What callers see of an executor of the application that does not do its work.
#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <oslo/messaging/blocking.hpp>
#include <oslo/messaging/rpc.hpp>
#include <stdexcept>

#include "support/log_lines.hpp"

namespace oslo::messaging::rpc {
namespace {

using namespace std::chrono_literals;
using work = unique_function<void()>;

/// Does with the first piece of work what the test says, and runs all others at once.
class odd_executor final : public executor {
 public:
  explicit odd_executor(std::function<void(work)> first) : first_(std::move(first)) {}
  void execute(work w) override {
    if (first_)
      std::exchange(first_, {})(std::move(w));
    else
      w();
  }
  std::size_t concurrency() const noexcept override { return 1; }

 private:
  std::function<void(work)> first_;
};

class odd_executors : public ::testing::Test {
 protected:
  odd_executors() {
    methods->bind("plain", [] { return 1; });
    methods->bind("coroutine", []() -> boost::asio::awaitable<int> { co_return 1; });
  }
  /// What became of two calls, one after the other.
  std::vector<result<value>> two_calls(std::string_view method, std::function<void(work)> first) {
    server s(bus, {.topic = "odd", .server = "s"}, {methods},
             {.executor = std::make_shared<odd_executor>(std::move(first))});
    s.start();
    const blocking::client c(bus, {.topic = "odd"}, {.timeout = 20s});
    std::vector<result<value>> out;
    for (int i = 0; i < 2; ++i) out.push_back(c.try_call(method, {}));
    EXPECT_TRUE(s.drain(20s));
    return out;
  }
  static void expect_one_refused(const std::vector<result<value>>& calls) {
    ASSERT_TRUE(calls[0].has_error());
    ASSERT_NE(calls[0].error().remote(), nullptr) << calls[0].error().message();
    EXPECT_EQ(calls[0].error().remote()->message, "The server's executor did not run the request.");
    ASSERT_TRUE(calls[1].has_value()) << calls[1].error().message();
    EXPECT_EQ(*calls[1], 1);
  }

  testing::log_lines log;
  transport bus = open_transport("fake://", {.log = log.into()});
  std::shared_ptr<endpoint> methods = std::make_shared<endpoint>();
};

TEST_F(odd_executors, that_refuse_a_request_are_an_error_of_its_caller_alone) {
  expect_one_refused(two_calls("plain", [](const work&) { throw std::runtime_error("full"); }));
  EXPECT_EQ(log.count(log_level::error, "The executor refused a request: full"), 1);
}

TEST_F(odd_executors, may_throw_anything) {
  expect_one_refused(two_calls("plain", [](const work&) { throw 5; }));
  EXPECT_EQ(log.count(log_level::error, "The executor refused a request: an exception"), 1);
}

TEST_F(odd_executors, that_drop_a_request_are_an_error_of_its_caller_alone) {
  expect_one_refused(two_calls("plain", [](const work&) {}));
}

TEST_F(odd_executors, that_refuse_a_coroutine_are_an_error_of_its_caller_alone) {
  expect_one_refused(two_calls("coroutine", [](const work&) {}));
}

TEST_F(odd_executors, that_can_run_nothing_are_refused) {
  class idle final : public executor {
    void execute(work) override {}
    std::size_t concurrency() const noexcept override { return 0; }
  };
  EXPECT_THROW(server(bus, {.topic = "odd", .server = "s"}, {methods},
                      {.executor = std::make_shared<idle>()}),
               configuration_error);
}

TEST(null_handlers, are_refused_when_they_are_bound) {
  endpoint e;
  EXPECT_THROW(e.bind("f", std::function<int()>()), configuration_error);
  EXPECT_THROW(e.bind("f", static_cast<int (*)()>(nullptr)), configuration_error);
  EXPECT_THROW(e.bind(method<int()>("f"), std::function<int()>()), configuration_error);
  EXPECT_THROW(e.bind_any(std::function<int(value)>()), configuration_error);
  EXPECT_NO_THROW(e.bind("f", std::function<int()>([] { return 1; })));
}

}  // namespace
}  // namespace oslo::messaging::rpc
