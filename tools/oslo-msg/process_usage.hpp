// What a process of this machine has used.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace oslo::messaging::cli {

/// User and system time in seconds. Throws `std::system_error` when there is no such process.
double cpu_seconds_of(pid_t process);
/// The most memory it ever had in RAM, in KiB; 0 when it has gone.
std::uint64_t peak_memory_kib_of(pid_t process);
/// What it has in RAM now, in bytes; 0 when it has gone.
std::size_t resident_bytes_of(pid_t process);
/// Its established TCP connections.
std::size_t connections_of(pid_t process);

}  // namespace oslo::messaging::cli
