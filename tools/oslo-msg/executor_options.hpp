// The options that say where methods run; shared by serve and the servers of bench.
#pragma once

#include <memory>
#include <optional>
#include <oslo/messaging/executor.hpp>
#include <string>
#include <vector>

#include "program.hpp"

namespace oslo::messaging::cli {

struct executor_options {
  std::string kind;  ///< "threads", "fibers" or "inline"
  std::optional<std::size_t> workers{};

  /// Null: the library's default pool. Throws `usage_error` for workers of an inline executor.
  std::shared_ptr<executor> make() const;
  /// Adds the same options to the command line of another process.
  void append_to(std::vector<std::string>& arguments) const;
};

/// Adds --executor and --workers; `kind` of `o` is the default.
void add_executor(CLI::App& command, executor_options& o);

}  // namespace oslo::messaging::cli
