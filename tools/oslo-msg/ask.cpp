#include "ask.hpp"

#include <future>
#include <utility>

namespace oslo::messaging::cli {

result<std::string> call_text(const rpc::client& client, const std::string& method, context ctxt,
                              const std::string& args_json) {
  std::promise<result<std::string>> outcome;
  auto pending = outcome.get_future();
  rpc::detail::start_call(client, method, std::move(ctxt), args_json, {},
                          [&](result<std::string> r) { outcome.set_value(std::move(r)); });
  return pending.get();
}

result<void> cast_text(const rpc::client& client, const std::string& method, context ctxt,
                       const std::string& args_json) {
  std::promise<result<void>> outcome;
  auto pending = outcome.get_future();
  rpc::detail::start_cast(client, method, std::move(ctxt), args_json, {},
                          [&](result<void> r) { outcome.set_value(std::move(r)); });
  return pending.get();
}

}  // namespace oslo::messaging::cli
