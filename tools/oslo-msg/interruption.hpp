// Cleaning up before SIGINT or SIGTERM ends the program.
#pragma once

#include <signal.h>

namespace oslo::messaging::cli {

/// While it lives, the first SIGINT or SIGTERM is only remembered; the second ends the program.
///
/// Thread safety: `seen` from any thread. One object at a time.
class interruption {
 public:
  interruption();
  ~interruption();
  interruption(const interruption&) = delete;
  interruption& operator=(const interruption&) = delete;

  bool seen() const noexcept;
  /// Ends the program by the signal that was seen, if any.
  void obey() const;

 private:
  struct sigaction before_int_ {};
  struct sigaction before_term_ {};
};

}  // namespace oslo::messaging::cli
