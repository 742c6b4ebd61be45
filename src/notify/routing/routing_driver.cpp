#include <utility>

#include "notify/drivers.hpp"
#include "notify/routing/routing_rules.hpp"
#include "notify/routing/yaml_tree.hpp"

namespace oslo::messaging::notify {
namespace {

/// One part of a driver that gets what the rules let through.
class routed_part final : public notification_driver {
 public:
  routed_part(std::shared_ptr<const routing_rules> rules, std::string driver,
              std::shared_ptr<const notification_driver> part, logger log)
      : rules_(std::move(rules)),
        driver_(std::move(driver)),
        part_(std::move(part)),
        log_(std::move(log)) {}

  void notify(const outgoing_notification& n,
              unique_function<void(result<void>)> done) const override {
    if (!rules_->wants(driver_, n.event_type, n.priority)) return done({});
    if (log_.enabled(log_level::info))
      log_(log_level::info,
           "Routing '" + n.event_type + "' notification to '" + driver_ + "' driver");
    part_->notify(n, std::move(done));
  }

 private:
  std::shared_ptr<const routing_rules> rules_;
  std::string driver_;
  std::shared_ptr<const notification_driver> part_;
  logger log_;  ///< of the first part only: a driver is told once
};

}  // namespace

notification_sinks routing_driver(const driver_sources& from) {
  const auto& file = from.routing_config;
  const auto& log = from.bus.log();
  if (file.empty()) {
    log(log_level::warning, "Driver \"routing\" sends nothing: option routing_config is not set.");
    return {};
  }
  const auto rules = std::make_shared<const routing_rules>(load_routing_rules(file, log));
  notification_sinks all;
  for (const auto& [name, line] : rules->drivers()) {
    if (name == "routing") {
      log(log_level::warning, file + " routes to \"routing\" itself, which is left out.");
      continue;
    }
    const auto made = make_notification_driver(name, from);
    if (!made)
      yaml_fault(file, line,
                 "there is no notification driver \"" + name + "\". " + known_drivers(from.custom));
    for (const auto& part : *made)
      all.push_back(
          std::make_shared<routed_part>(rules, name, part, part == made->front() ? log : logger{}));
  }
  return all;
}

}  // namespace oslo::messaging::notify
