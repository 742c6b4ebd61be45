#include "program.hpp"

namespace oslo::messaging::cli {

const std::map<std::string, log_level>& log_levels() {
  static const std::map<std::string, log_level> levels{
      {"trace", log_level::trace},     {"debug", log_level::debug}, {"info", log_level::info},
      {"warning", log_level::warning}, {"error", log_level::error}, {"off", log_level::off}};
  return levels;
}

config program::load_config() const {
  return config_files.empty() ? config{} : config::load(config_files);
}

std::vector<std::string> program::global_arguments() const {
  std::vector<std::string> arguments{"--log-level", level_name};
  for (const auto& file : config_files) arguments.insert(arguments.end(), {"--config-file", file});
  if (temporary) arguments.push_back("--temporary");
  if (!url.empty()) arguments.insert(arguments.end(), {"--url", url});
  return arguments;
}

transport program::open() const {
  transport_options options;
  options.conf = load_config();
  if (temporary) options.conf.set("oslo_messaging_rabbit", "amqp_auto_delete", "true");
  options.log = stderr_logger(log_levels().at(level_name));
  return open_transport(url, std::move(options));
}

}  // namespace oslo::messaging::cli
