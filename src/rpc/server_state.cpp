#include "rpc/server_state.hpp"

#include <oslo/messaging/detail/current_failure.hpp>
#include <utility>

#include "core/features.hpp"
#include "rpc/served_request.hpp"

namespace oslo::messaging::rpc::detail {
namespace {

constexpr const char* ping_method = "oslo_rpc_server_ping";

target checked(target on, const transport& bus) {
  require(bus, feature::rpc);
  if (!on.topic || on.topic->empty() || !on.server || on.server->empty())
    throw invalid_target(
        failure(errc::invalid_target,
                "A server's target must have topic and server names specified:" + to_string(on))
            .about({.target = std::make_shared<const target>(on)}));
  return on;
}

std::vector<std::shared_ptr<endpoint>> with_ping(std::vector<std::shared_ptr<endpoint>> endpoints,
                                                 const transport& bus, bool wanted) {
  for (const auto& e : endpoints)
    if (e && e->method_table().has(ping_method)) {
      bus.log()(log_level::warning,
                std::string("An endpoint binds the reserved method ") + ping_method + ".");
      return endpoints;
    }
  if (wanted || bus.defaults().boolean("rpc_ping_enabled")) {
    auto ping = std::make_shared<endpoint>();
    ping->bind(ping_method, [] { return std::string("pong"); }).expose().allow_unknown();
    endpoints.push_back(std::move(ping));
  }
  return endpoints;
}

}  // namespace

server_state::server_state(transport b, target t, std::vector<std::shared_ptr<endpoint>> list,
                           server_options o)
    : serving(b, "server", "request", o),
      on(checked(std::move(t), bus)),
      options(std::move(o)),
      endpoints(with_ping(std::move(list), bus, options.ping), options.access_policy,
                options.serializer) {
  if (endpoints.acknowledges_late()) require(bus, feature::requeue);
}

void server_state::hurry() {
  bus.loop().dispatch([self = self()] {
    std::stop_source source{std::nostopstate};
    {
      const std::lock_guard lock(self->mutex_);
      source = self->hurry_;
    }
    source.request_stop();
  });
}

std::stop_token server_state::hurry_token() const {
  const std::lock_guard lock(mutex_);
  return hurry_.get_token();
}

/// Messages that are acknowledged after their work count as held by us all that time.
std::size_t server_state::prefetch() const noexcept {
  if (!endpoints.acknowledges_late() || options.prefetch == listen_options::unlimited)
    return options.prefetch;
  return limit() + (options.prefetch != 0 ? options.prefetch : limit());
}

std::shared_ptr<listener> server_state::subscribe() {
  {
    const std::lock_guard lock(mutex_);
    if (hurry_.stop_requested()) hurry_ = {};  // a new round is in no hurry
  }
  return bus.driver().listen(on, {prefetch()});
}

void server_state::take(incoming_batch batch) {
  for (auto& message : batch) {
    const bool late = endpoints.acknowledges_late(*message);
    try {
      if (late)
        message->acknowledge_later();
      else
        message->acknowledge();
    } catch (const std::exception& e) {
      bus.log()(log_level::error,
                std::string("Can not acknowledge message. Skip processing: ") + e.what());
      continue;
    }
    enter();
    opened(1);
    auto request = std::make_shared<served_request>(self(), std::move(message), late);
    try {
      execute([request = std::move(request)] { request->handle(); });
    } catch (...) {
      bus.log()(log_level::error,
                "The executor refused a request: " +
                    messaging::detail::current_failure(errc::handler_failed, {}).message());
    }
  }
}

}  // namespace oslo::messaging::rpc::detail
