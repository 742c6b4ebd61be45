// What a server shares with the requests it has taken.
#pragma once

#include <memory>
#include <mutex>
#include <oslo/messaging/rpc/server.hpp>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/hidden.hpp"
#include "rpc/endpoint_table.hpp"
#include "serve/serving.hpp"

namespace oslo::messaging::rpc::detail {

/// Takes requests and hands them to the executor.
class OSLO_HIDDEN server_state final : public serve::serving {
 public:
  static constexpr const char* handle_name = "server";

  server_state(transport bus, target on, std::vector<std::shared_ptr<endpoint>> endpoints,
               server_options o);

  /// Asks the handlers that listen to it to end.
  void hurry() override;
  std::stop_token hurry_token() const;
  std::size_t running() const noexcept override { return under_way(); }

  // For requests, from any thread.
  /// The handler of a request has ended: there is room for another.
  void made_room() { leave(); }
  /// The bus has the reply of a request, or will never have it.
  using serving::settled;
  using serving::spawn;

  const target on;
  const server_options options;
  const endpoint_table endpoints;

 private:
  std::shared_ptr<listener> subscribe() override;
  std::string place() const override { return to_string(on); }
  std::size_t wanted() override { return free_places(); }
  void take(incoming_batch batch) override;
  std::size_t prefetch() const noexcept;
  std::shared_ptr<server_state> self() {
    return std::static_pointer_cast<server_state>(shared_from_this());
  }

  mutable std::mutex mutex_;  // guards what follows
  std::stop_source hurry_;
};

}  // namespace oslo::messaging::rpc::detail
