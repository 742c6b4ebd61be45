#include "program.hpp"

#include <oslo/messaging/notify/options.hpp>

namespace oslo::messaging::cli {

const std::map<std::string, log_level>& log_levels() {
  static const std::map<std::string, log_level> levels{
      {"trace", log_level::trace},     {"debug", log_level::debug}, {"info", log_level::info},
      {"warning", log_level::warning}, {"error", log_level::error}, {"off", log_level::off}};
  return levels;
}

config program::load_config() const {
  return config::load(config_files);  // without a file: what the environment says
}

std::vector<std::string> program::global_arguments() const {
  std::vector<std::string> arguments{"--log-level", level_name};
  for (const auto& file : config_files) arguments.insert(arguments.end(), {"--config-file", file});
  if (temporary) arguments.push_back("--temporary");
  if (!url.empty()) arguments.insert(arguments.end(), {"--url", url});
  return arguments;
}

transport_options program::make_options() const {
  transport_options options;
  options.conf = load_config();
  if (temporary) {
    options.conf.set("oslo_messaging_rabbit", "amqp_auto_delete", "true");
    // Queues of replies and fanouts end only by time, half an hour by default.
    options.conf.set("oslo_messaging_rabbit", "rabbit_transient_queues_ttl", "10");
  }
  if (!control_exchange.empty()) options.conf.set("DEFAULT", "control_exchange", control_exchange);
  options.log = stderr_logger(log_levels().at(level_name));
  return options;
}

transport program::open() const {
  return open_transport(url, make_options());
}

transport program::open_for_notifications() const {
  return notify::open_transport(url, make_options());
}

}  // namespace oslo::messaging::cli
