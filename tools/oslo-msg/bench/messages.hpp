// Each message that a benchmark sends, from completion to completion.
#pragma once

#include <memory>
#include <oslo/messaging/notify/notifier.hpp>
#include <oslo/messaging/rpc/client.hpp>

#include "bench/bodies.hpp"
#include "bench/load.hpp"

namespace oslo::messaging::cli {

/// Calls to echo.
class call_source : public bench_source {
 public:
  call_source(const rpc::client& client, const bench_bodies& bodies)
      : client_{client}, bodies_{bodies} {}
  void send(std::uint64_t n, bench_ticket t) override;

 private:
  const rpc::client client_;
  const bench_bodies& bodies_;
};

/// Calls to add.
class sum_source : public bench_source {
 public:
  explicit sum_source(const rpc::client& client) : client_{client} {}
  void send(std::uint64_t n, bench_ticket t) override;

 private:
  const rpc::client client_;
};

/// The one of the two that `bodies` asks for.
std::unique_ptr<bench_source> make_call_source(const rpc::client& client,
                                               const bench_bodies& bodies);

/// Casts to hit.
class cast_source : public bench_source {
 public:
  cast_source(const rpc::client& client, const bench_bodies& bodies)
      : client_{client}, bodies_{bodies} {}
  void send(std::uint64_t n, bench_ticket t) override;

 private:
  const rpc::client client_;
  const bench_bodies& bodies_;
};

class notification_source : public bench_source {
 public:
  notification_source(const notify::notifier& tells, const bench_bodies& bodies)
      : tells_{tells}, bodies_{bodies} {}
  void send(std::uint64_t n, bench_ticket t) override;

 private:
  const notify::notifier tells_;
  const bench_bodies& bodies_;
};

}  // namespace oslo::messaging::cli
