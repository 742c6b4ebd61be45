#include "bus.hpp"

namespace oslo::messaging::conformance {

std::string name_of(const ::testing::TestParamInfo<bus_kind>& info) {
  return info.param.name;
}

std::shared_ptr<rpc::endpoint> standard_endpoint(target accepts) {
  auto e = std::make_shared<rpc::endpoint>(std::move(accepts));
  e->bind("echo", [](raw_json args) { return args; });
  e->bind("first", [](const value& args) { return args.as_object().begin()->value(); });
  e->bind("context", [](const context& c) { return value(c.entries()); });
  e->bind("boom", []() -> int {
    throw rpc::remote_exception("nova.exception", "InstanceNotFound", "no such instance",
                                {"i-1", 2}, {{"code", 404}});
  });
  e->bind("invalid", []() -> int { throw std::invalid_argument("bad \xc3\xa4 value"); });
  return e;
}

std::unique_ptr<rpc::server> serve(const transport& bus, const std::string& topic,
                                   const std::string& name,
                                   std::vector<std::shared_ptr<rpc::endpoint>> endpoints,
                                   rpc::server_options o) {
  target on;
  on.topic = topic;
  on.server = name;
  auto server = std::make_unique<rpc::server>(bus, on, std::move(endpoints), std::move(o));
  server->start();
  return server;
}

result<reply> send_and_wait(const transport& bus, const target& to, outgoing_message m,
                            send_options o) {
  auto promise = std::make_shared<std::promise<result<reply>>>();
  auto future = promise->get_future();
  bus.driver().send(to, std::move(m), std::move(o),
                    [promise](result<reply> r) { promise->set_value(std::move(r)); });
  if (future.wait_for(patience) != std::future_status::ready)
    throw std::runtime_error("the send did not complete");
  return future.get();
}

std::shared_ptr<listener> listen(const transport& bus, const target& on) {
  expected<result<void>> verdict;
  auto l = on_loop(bus, [&] {
    auto made = bus.driver().listen(on, {});
    made->ready([&](result<void> r) { verdict.set(std::move(r)); });
    return made;
  });
  verdict.get().value();
  return l;
}

incoming_batch pull(const transport& bus, listener& from, std::size_t max) {
  auto promise = std::make_shared<std::promise<incoming_batch>>();
  auto future = promise->get_future();
  on_loop(bus, [&] {
    from.next(max, [promise](incoming_batch batch) { promise->set_value(std::move(batch)); });
  });
  if (future.wait_for(patience) != std::future_status::ready)
    throw std::runtime_error("nothing was delivered");
  return future.get();
}

}  // namespace oslo::messaging::conformance
