// Keeps a queue in being that vanishes with its last consumer.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <oslo/messaging/rpc/responder.hpp>
#include <oslo/messaging/rpc/server.hpp>
#include <oslo/messaging/transport.hpp>

#include "program.hpp"

namespace oslo::messaging::cli {

/// A server of the topic that is busy with one message, acknowledged late, and takes no other: what
/// is sent waits on the broker, and nothing stays there when the keeper ends. Not for fake://,
/// where queues end with the process.
///
/// Thread safety: one thread.
class bench_keeper {
 public:
  bench_keeper(const program& p, const target& on);
  ~bench_keeper();
  bench_keeper(const bench_keeper&) = delete;
  bench_keeper& operator=(const bench_keeper&) = delete;

 private:
  class busy_endpoint;

  std::shared_ptr<busy_endpoint> busy_;
  std::optional<transport> bus_;
  std::optional<rpc::server> server_;
};

}  // namespace oslo::messaging::cli
