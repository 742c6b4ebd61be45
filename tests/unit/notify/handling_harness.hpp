// Deliveries without a listener.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/describe/class.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "notify/handling.hpp"
#include "support/log_lines.hpp"
#include "unit/notify/plain_message.hpp"

namespace oslo::messaging::notify {

struct sized_payload {
  std::string name;
  int size = 0;
};
BOOST_DESCRIBE_STRUCT(sized_payload, (), (name, size))

inline std::string body_of(std::string_view priority, std::string_view event = "ev",
                           std::string_view payload = R"({"name": "n", "size": 3})") {
  return R"({"message_id": "m1", "publisher_id": "p1", "event_type": ")" + std::string(event) +
         R"(", "priority": ")" + std::string(priority) + R"(", "payload": )" +
         std::string(payload) + R"(, "timestamp": "t1"})";
}

/// Runs deliveries on this thread, until there is nothing left to do.
class harness {
 public:
  harness(handler_table::endpoints all, std::shared_ptr<const serializer> s, logger log,
          bool batches)
      : rules_(std::move(all), std::move(s), std::move(log), batches) {}

  const handler_table& rules() const { return rules_; }
  outcome dispatch(std::string body, context c = {}) {
    incoming_batch one;
    one.push_back(std::make_unique<plain_message>(std::move(body), std::move(c)));
    const auto v = results(std::move(one));
    return v.empty() ? throw std::runtime_error("abandoned") : v.front().what;
  }
  std::vector<outcome> dispatch(incoming_batch batch) {
    std::vector<outcome> out;
    for (const auto& v : results(std::move(batch))) out.push_back(v.what);
    return out;
  }
  std::vector<handling_result> results(incoming_batch batch) {
    const auto owner = std::make_shared<direct>();
    std::make_shared<handling>(owner, rules_, std::move(batch))->begin();
    owner->io.run();
    EXPECT_EQ(owner->ended, 1);
    return owner->results;
  }

 private:
  struct direct final : handling_owner {
    void run(boost::asio::awaitable<outcome> handler,
             unique_function<void(std::exception_ptr, outcome)> done) override {
      boost::asio::co_spawn(io, std::move(handler), std::move(done));
    }
    void resume(unique_function<void()> work) override { boost::asio::post(io, std::move(work)); }
    void done(incoming_batch, std::vector<handling_result> v) noexcept override {
      ++ended;
      results = std::move(v);
    }
    boost::asio::io_context io;
    int ended = 0;
    std::vector<handling_result> results;
  };
  handler_table rules_;
};

inline incoming_batch batch_of(const std::vector<std::string>& bodies) {
  incoming_batch out;
  for (const auto& b : bodies) out.push_back(std::make_unique<plain_message>(b));
  return out;
}

class deliveries : public ::testing::Test {
 protected:
  harness make(handler_table::endpoints all, bool batches = false,
               std::shared_ptr<const serializer> s = {}) {
    return {std::move(all), std::move(s), lines.into(), batches};
  }
  testing::log_lines lines;
};

}  // namespace oslo::messaging::notify
