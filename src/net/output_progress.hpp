// Whether what was written to a socket arrives.
#pragma once

#include <cstdint>

namespace oslo::messaging::net {

struct output_progress {
  bool waits = false;              ///< the other side has not acknowledged everything
  std::uint64_t acknowledged = 0;  ///< bytes, since the socket was connected
};

/// Of a TCP socket; nothing waits when that cannot be known.
output_progress progress_of(int socket) noexcept;

}  // namespace oslo::messaging::net
