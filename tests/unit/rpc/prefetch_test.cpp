// How many messages a server lets its driver hold ready.
#include <gtest/gtest.h>

#include <memory>
#include <oslo/messaging/rpc.hpp>

#include "support/stub_driver.hpp"

namespace oslo::messaging::rpc {
namespace {

class asked_driver final : public testing::stub_driver {
 public:
  asked_driver(std::shared_ptr<std::size_t> asked_for, std::shared_ptr<scheduler> loop)
      : stub_driver(std::move(loop)), asked_for_(std::move(asked_for)) {}
  std::shared_ptr<listener> listen(target on, listen_options o) override {
    *asked_for_ = o.prefetch;
    return stub_driver::listen(std::move(on), o);
  }

 private:
  std::shared_ptr<std::size_t> asked_for_;
};

/// Of a server that runs up to 5 requests, acknowledged before or after their work.
std::size_t asked_for(std::size_t prefetch, acknowledge_when when) {
  const auto asked = std::make_shared<std::size_t>(77);
  driver_registry registry;
  registry.add("asked", [asked](const transport_url&, driver_environment env) {
    return std::make_unique<asked_driver>(asked, env.loop);
  });
  const auto bus = transport::open("asked://", {}, registry);
  auto methods = std::make_shared<endpoint>();
  methods->bind("m", [] {}).acknowledge(when);
  server s(bus, {.topic = "t", .server = "s"}, {methods},
           {.executor = inline_executor(), .max_running = 5, .prefetch = prefetch});
  EXPECT_THROW(s.start(), server_listen_error);
  return *asked;
}

TEST(prefetch, is_what_was_asked_for) {
  for (const std::size_t n : {std::size_t{0}, std::size_t{3}, listen_options::unlimited})
    EXPECT_EQ(asked_for(n, acknowledge_when::before_handler), n);
}

TEST(prefetch, covers_the_requests_in_work_when_they_are_acknowledged_after_it) {
  EXPECT_EQ(asked_for(0, acknowledge_when::after_success), 10u);
  EXPECT_EQ(asked_for(3, acknowledge_when::after_success), 8u);
  EXPECT_EQ(asked_for(listen_options::unlimited, acknowledge_when::after_success),
            listen_options::unlimited);
}

}  // namespace
}  // namespace oslo::messaging::rpc
