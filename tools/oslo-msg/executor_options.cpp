#include "executor_options.hpp"

#include <CLI/CLI.hpp>
#include <oslo/messaging/fibers.hpp>

#include "exit_status.hpp"
#include "option_kinds.hpp"

namespace oslo::messaging::cli {

std::shared_ptr<executor> executor_options::make() const {
  if (kind == "inline") {
    if (workers) throw usage_error{"--workers does not go with --executor inline"};
    return inline_executor();
  }
  if (kind == "fibers") {
    fiber_options o;
    o.max_fibers = workers.value_or(o.max_fibers);
    return fiber_executor(o);
  }
  return workers ? thread_pool(*workers) : nullptr;
}

void executor_options::append_to(std::vector<std::string>& arguments) const {
  arguments.insert(arguments.end(), {"--executor", kind});
  if (workers) arguments.insert(arguments.end(), {"--workers", std::to_string(*workers)});
}

void add_executor(CLI::App& command, executor_options& o) {
  command
      .add_option(
          "--executor", o.kind,
          "Where methods run: threads, fibers, or inline on the I/O thread [" + o.kind + "]")
      ->type_name("KIND")
      ->check(one_of({"threads", "fibers", "inline"}));
  command
      .add_option("--workers", o.workers,
                  "Methods at once [threads: executor_thread_pool_size, 64; fibers: 10000]")
      ->type_name("N")
      ->check(between<std::size_t>(1, 10'000));
}

}  // namespace oslo::messaging::cli
