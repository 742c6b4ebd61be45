// The exit statuses that scripts around oslo-msg rely on.
#pragma once

#include <oslo/messaging/error.hpp>
#include <stdexcept>

namespace oslo::messaging::cli {

enum exit_status : int {
  done = 0,
  remote_failed = 1,  ///< the method at the other end raised
  unwell = 1,         ///< doctor has found something that will hurt
  usage = 2,          ///< the command line cannot be understood
  timed_out = 3,
  not_delivered = 4,  ///< returned or refused, or nobody knows
  unusable = 5,  ///< configuration, credentials, permission, TLS, or no broker within the retries
  unwritten = 6  ///< what it has to print, or --json, could not be written
};

/// A command line that CLI11 accepts and we cannot.
struct usage_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

exit_status status_of(errc code) noexcept;

/// Says on standard error what went wrong: a remote error as one JSON line
/// {"type","module","message","traceback"}, everything else as one sentence.
exit_status report(const failure& f);

}  // namespace oslo::messaging::cli
