// What tells our reply and fanout queues from those of others.
#pragma once

#include <optional>
#include <oslo/messaging/logger.hpp>
#include <string>

namespace oslo::messaging::rabbit {

/// Of use_queue_manager. Where Python and we keep count, so that no two processes of a host take
/// the same number.
struct stable_names {
  std::string hostname, processname;
  std::string counter;  ///< the file of the count; see `counter_file`
  std::string lock;     ///< the file that is locked meanwhile
};

/// Python's: /dev/shm/HOST_PROCESS_qmanager.
std::string counter_file(const stable_names& n);
/// Python's, of oslo.concurrency, in that folder.
std::string lock_file(const stable_names& n, const std::string& folder);

/// The part of a name behind "reply_" or "TOPIC_fanout_": "HOST:PROCESS:NUMBER". The number is the
/// next one of the service that we belong to; it counts from 1 when a service starts, so that a
/// service that starts again finds its queues again. One process never gets a name twice.
///
/// Waits at most a second for the lock. Throws `std::runtime_error` when the count cannot be kept.
/// Thread safety: any thread, and any process.
std::string next_name(const stable_names& n);

/// The same, or 32 random hex digits: without `stable`, or with a warning when the count cannot be
/// kept. A queue with a random name is found by nobody, and expires.
std::string unique_part(const std::optional<stable_names>& stable, const logger& log);

}  // namespace oslo::messaging::rabbit
