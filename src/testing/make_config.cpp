#include <algorithm>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/testing.hpp>

#include "core/config/option_lookup.hpp"

namespace oslo::messaging::testing {
namespace {

/// True when some option takes its value from there, under its present or a former name.
bool is_read(const setting& s) {
  config alone;
  alone.set(s.group, s.name, {});
  const auto groups = option_groups();
  return std::any_of(groups.begin(), groups.end(), [&](const option_group& g) {
    return std::any_of(g.options.begin(), g.options.end(),
                       [&](const option& o) { return !find_entries(alone, g.name, o).empty(); });
  });
}

}  // namespace

config make_config(std::initializer_list<setting> settings) {
  config conf;
  conf.set("DEFAULT", "transport_url", "fake://");
  for (const auto& s : settings) {
    if (!is_read(s))
      throw_failure({errc::invalid_config, "There is no option \"" + std::string(s.name) +
                                               "\" in group [" + std::string(s.group) + "]."});
    conf.set(s.group, s.name, std::string(s.text));
  }
  // Reads every value, so that a wrong one fails here and not where it is used.
  for (const auto& g : option_groups()) option_values(std::string(g.name), g.options, conf);
  return conf;
}

}  // namespace oslo::messaging::testing
