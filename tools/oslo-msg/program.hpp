// What all commands share: the global options and the transport they describe.
#pragma once

#include <functional>
#include <map>
#include <oslo/messaging/transport.hpp>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace oslo::messaging::cli {

const std::map<std::string, log_level>& log_levels();

struct program {
  std::vector<std::string> config_files;
  std::string url;
  std::string level_name = "warning";  ///< a key of `log_levels`
  /// Exchanges and queues vanish with their last consumer: for names that nobody uses again.
  bool temporary = false;
  std::string control_exchange;  ///< empty: as configured
  /// The chosen command; returns the exit status. Set while the command line is read.
  std::function<int()> run;

  config load_config() const;
  /// The same global options for another process.
  std::vector<std::string> global_arguments() const;
  /// Opens the bus of --url, or of the config file, or rabbit://.
  transport open() const;
  /// The same, but option transport_url of [oslo_messaging_notifications] goes first.
  transport open_for_notifications() const;
  /// What these two open it with.
  transport_options make_options() const;
};

// Each adds one command to the command line.
void add_demo(CLI::App& app, program& p);
void add_serve(CLI::App& app, program& p);
void add_call(CLI::App& app, program& p);
void add_cast(CLI::App& app, program& p);
void add_ping(CLI::App& app, program& p);
void add_notify(CLI::App& app, program& p);
void add_send_notification(CLI::App& app, program& p);
/// Its options, for a program that does nothing else.
void define_send_notification(CLI::App& command, program& p);
void add_listen(CLI::App& app, program& p);
void add_doctor(CLI::App& app, program& p);
void add_bench(CLI::App& app, program& p);

}  // namespace oslo::messaging::cli
