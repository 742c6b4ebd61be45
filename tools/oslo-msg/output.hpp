// What the commands print: it is written when `print` returns, or the program says that it is not.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace oslo::messaging::cli {

/// Something could not be written: the exit status `unwritten`. `what()` says where, and why.
struct output_error : std::runtime_error {
  using std::runtime_error::runtime_error;
  /// With the text of `errno`.
  static output_error at(const std::string& place);
};

/// Call it before anything is opened. A broken pipe becomes an error of `print` in place of the
/// silent end by SIGPIPE, and no file or socket gets the number of a standard stream that was
/// closed: `print` would write into it.
void prepare_standard_streams();

/// Writes to standard output. Throws `output_error`; what was written until then cannot be said.
///
/// Thread safety: one thread at a time.
void print(std::string_view text);

/// Writes a short line to standard error, but not where it would have to wait: nobody reads it, and
/// the program is about to end.
void complain(const std::string& line);

}  // namespace oslo::messaging::cli
