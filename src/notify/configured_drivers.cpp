// The drivers that the options of a configuration want.
#include <oslo/messaging/notify/options.hpp>
#include <utility>

#include "core/config/option_lookup.hpp"
#include "notify/drivers.hpp"
#include "notify/routing/routing_rules.hpp"

namespace oslo::messaging::notify {
namespace {

constexpr std::string_view options_group = "oslo_messaging_notifications";

finding warning_of(std::string text, std::string advice) {
  return {severity::warning, "configuration", std::move(text), std::move(advice)};
}

finding not_known(std::string text) {
  return warning_of(std::move(text),
                    "Mend the name, unless the program has a driver of that name "
                    "(notifier_options::custom_drivers).");
}

void look_at_rules(const option_values& group, std::vector<finding>& all) {
  const auto file = group.string("routing_config");
  if (file.empty())
    return all.push_back(
        warning_of("Driver \"routing\" sends nothing: option routing_config is not set.",
                   "Set it to a file of rules, or take another driver."));
  for (const auto& [name, line] : load_routing_rules(file, {}).drivers())
    if (!is_of_library(name))
      all.push_back(not_known(file + ":" + std::to_string(line) +
                              ": there is no notification driver \"" + name + "\". " +
                              known_drivers({})));
}

}  // namespace

std::vector<wanted_driver> configured_drivers(const config& conf) {
  std::vector<wanted_driver> out;
  const auto entries = find_entries(conf, options_group,
                                    *find_option(notification_options(), options_group, "driver"));
  auto at = entries.begin();
  for (auto& name : read_options(conf).list("driver")) {
    // One of each entry; the default has none.
    std::string origin = at == entries.end() ? "" : (*at++)->origin;
    if (!name.empty()) out.push_back({std::move(name), std::move(origin)});
  }
  return out;
}

failure no_such_driver(const wanted_driver& d, const notification_drivers& custom) {
  if (d.origin.empty())
    return {errc::invalid_argument,
            "There is no notification driver \"" + d.name + "\". " + known_drivers(custom)};
  return {errc::invalid_config, "Option \"driver\" of group [" + std::string(options_group) +
                                    "] has the value \"" + d.name + "\" (" + d.origin +
                                    "), which is no notification driver. " + known_drivers(custom)};
}

std::vector<finding> look_at_drivers(const config& conf) {
  std::vector<finding> all;
  for (const auto& d : configured_drivers(conf))
    if (d.name == "routing")
      look_at_rules(read_options(conf), all);
    else if (!is_of_library(d.name))
      all.push_back(not_known(no_such_driver(d, {}).message()));
  return all;
}

}  // namespace oslo::messaging::notify
