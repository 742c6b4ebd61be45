// Which drivers get which notifications: the file of option routing_config.
#pragma once

#include <cstddef>
#include <optional>
#include <oslo/messaging/logger.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "notify/routing/glob.hpp"

namespace oslo::messaging::notify {

/// What a driver of a group accepts: of each kind of rule that is given at least one has to match.
struct routing_rule {
  std::string driver;
  std::size_t line = 1;  ///< where the driver stands
  std::optional<std::vector<glob>> events{};
  std::optional<std::vector<glob>> priorities{};  ///< of lower-case patterns

  bool accepts(std::string_view event_type, notify::priority p) const;
};

/// The groups, which only order the file: a driver is called when any of them wants it to.
class routing_rules {
 public:
  routing_rules() = default;
  explicit routing_rules(std::vector<routing_rule> all) : all_(std::move(all)) {}

  /// Names of all drivers, each once with the line of its first rule, in the order of the file.
  std::vector<std::pair<std::string, std::size_t>> drivers() const;
  bool wants(std::string_view driver, std::string_view event_type, notify::priority p) const;

 private:
  std::vector<routing_rule> all_;
};

/// Reads `group: {driver: {accepted_events: [glob, ...], accepted_priorities: [glob, ...]}}`.
/// Throws `configuration_error` with file and line. Other keys of a driver are told to `log` and
/// left out. At most 1 MiB of text, 16 levels, 10,000 values (those of aliases counted each time).
routing_rules parse_routing_rules(std::string_view yaml, const std::string& file,
                                  const logger& log);
routing_rules load_routing_rules(const std::string& file, const logger& log);

}  // namespace oslo::messaging::notify
