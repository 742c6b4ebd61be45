#include <oslo/messaging/blocking.hpp>

#include "blocking/wait_for.hpp"

namespace oslo::messaging::blocking {
namespace {

operation of(std::string_view kind, std::string_view name, const rpc::client& from,
             std::optional<std::chrono::milliseconds> limit) {
  const auto& topic = from.where().topic;
  return {kind, name, topic ? std::string_view(*topic) : std::string_view(), limit};
}

}  // namespace

client::text client::call_text(std::string_view name, std::optional<rpc::method_version> since,
                               context ctxt, text args, std::stop_token cancel) const {
  if (!args) return args;
  if (auto why = rpc::detail::cannot_start(async_)) return *std::move(why);
  return wait_for<text>(async_.bus(), of("call", name, async_, async_.options().timeout),
                        std::move(cancel), [&](std::stop_token given_up, auto done) {
                          rpc::detail::start_call(async_, name, std::move(ctxt), *args,
                                                  {since, std::move(given_up)}, std::move(done));
                        });
}

result<void> client::cast_text(std::string_view name, std::optional<rpc::method_version> since,
                               context ctxt, text args, std::stop_token cancel) const {
  if (!args) return args.error();
  if (auto why = rpc::detail::cannot_start(async_)) return *std::move(why);
  return wait_for<result<void>>(async_.bus(), of("cast", name, async_, async_.cast_timeout()),
                                std::move(cancel), [&](std::stop_token given_up, auto done) {
                                  rpc::detail::start_cast(async_, name, std::move(ctxt), *args,
                                                          {since, std::move(given_up)},
                                                          std::move(done));
                                });
}

}  // namespace oslo::messaging::blocking
