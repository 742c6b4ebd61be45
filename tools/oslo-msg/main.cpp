// oslo-msg: RPC and notifications over a message bus from the command line.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <oslo/messaging/version.hpp>
#include <sstream>
#include <string>
#include <string_view>

#include "config_sample.hpp"
#include "exit_status.hpp"
#include "option_kinds.hpp"
#include "output.hpp"
#include "program.hpp"

namespace oslo::messaging::cli {
namespace {

/// A symlink of that name works as Python's tool does.
constexpr const char* send_notification = "oslo-messaging-send-notification";

constexpr const char* footer = R"(
JSON arguments: text, "-" for standard input, or "@FILE".
URL: rabbit://user:password@host:port,host2:port/vhost?option=value, or fake:// (one process).

Exit status:
  0  done
  1  the method failed; standard error has one line {"type", "module", "message", "traceback"}; doctor: something will hurt
  2  the command line cannot be understood
  3  timed out
  4  not delivered: returned or refused, or it is unknown whether it was
  5  configuration, credentials, permission, TLS, or no broker could be reached (retries used up)
  6  standard output, or a file, could not be written; the command may have had its effect

Examples:
  oslo-msg serve calc --server host1 --ping
  oslo-msg call calc add '{"a": 1, "b": 2}' --timeout 5
  oslo-msg cast calc hit '{}' --fanout
  oslo-msg notify compute.start '{"id": 1}'
  oslo-msg listen notifications
  oslo-msg demo)";

void add_common(CLI::App& app, program& p) {
  app.set_version_flag("--version", oslo::messaging::version());
  repeatable(app.add_option("--config-file", p.config_files, "oslo.config file; may be repeated"))
      ->type_name("FILE");
  app.add_option("--log-level", p.level_name,
                 "What to say on standard error: trace, debug, info, warning, error, off [warning]")
      ->type_name("LEVEL")
      ->check(CLI::IsMember(log_levels()).description(""));
}

int parse_and_run(CLI::App& app, int argc, char** argv, program& p) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::ostringstream help, wrong;
    if (app.exit(e, help, wrong) != 0)
      throw usage_error{std::string{e.what()} + "; --help lists what there is"};
    print(help.str());
    return done;
  }
  if (!p.run) throw usage_error{"a command is missing; oslo-msg --help lists them"};
  return p.run();
}

/// As the program of Python that it stands in for.
int run_send_notification(int argc, char** argv) {
  program p;
  CLI::App app{"Send a notification", send_notification};
  add_common(app, p);
  define_send_notification(app, p);
  return parse_and_run(app, argc, argv, p);
}

int run(int argc, char** argv) {
  const std::string_view called = argc > 0 ? argv[0] : "";
  if (called.substr(called.rfind('/') + 1) == send_notification)
    return run_send_notification(argc, argv);
  program p;
  CLI::App app{"RPC and notifications over a message bus, compatible with Python's oslo.messaging.",
               "oslo-msg"};
  app.footer(footer);
  app.require_subcommand(0, 1);
  app.fallthrough();
  app.set_help_all_flag("--help-all", "Help of all commands");
  add_common(app, p);
  app.add_option("--url", p.url, "Transport URL [transport_url of the config file, else rabbit://]")
      ->type_name("URL");
  app.add_flag("--temporary", p.temporary)->group("");  // for the processes that bench starts
  add_demo(app, p);
  add_serve(app, p);
  add_call(app, p);
  add_cast(app, p);
  add_ping(app, p);
  add_notify(app, p);
  add_send_notification(app, p);
  add_listen(app, p);
  add_doctor(app, p);
  add_config_sample(app, p);
  add_bench(app, p);
  return parse_and_run(app, argc, argv, p);
}

}  // namespace
}  // namespace oslo::messaging::cli

int main(int argc, char** argv) {
  namespace cli = oslo::messaging::cli;
  cli::prepare_standard_streams();
  try {
    return cli::run(argc, argv);
  } catch (const oslo::messaging::messaging_error& e) {
    return cli::report(e.failure());
  } catch (const cli::usage_error& e) {
    std::fprintf(stderr, "oslo-msg: %s\n", e.what());
    return cli::usage;
  } catch (const cli::output_error& e) {
    std::fprintf(stderr, "oslo-msg: %s\n", e.what());
    return cli::unwritten;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "oslo-msg: %s\n", e.what());
    return cli::unusable;
  }
}
