// The configuration and the buses that it names, looked at from outside.
#include <algorithm>
#include <oslo/messaging/detail/current_failure.hpp>
#include <oslo/messaging/doctor.hpp>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/notify/options.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <oslo/messaging/transport.hpp>
#include <utility>

#include "core/saturating.hpp"
#include "core/text.hpp"
#include "drivers/common_options.hpp"

namespace oslo::messaging {
namespace {

using findings = std::vector<finding>;
constexpr auto configuration = "configuration";

/// Runs `look`; what it throws is an error of `subject`.
template <class Look>
void into(findings& all, const std::string& subject, const std::string& advice, Look&& look) {
  try {
    look();
  } catch (...) {
    const auto why = detail::current_failure(errc::broker_error, "Looking at it failed");
    all.push_back({severity::error, subject, why.message(), advice});
  }
}

void look_at_former_names(const config& conf, findings& all) {
  for (const auto& group : option_groups())
    for (const auto& o : group.options)
      for (const auto old : o.deprecated) {
        const auto slash = old.find('/');
        const auto place = slash == old.npos ? group.name : old.substr(0, slash);
        const auto name = slash == old.npos ? old : old.substr(slash + 1);
        for (const auto& e : conf.find(place, name))
          all.push_back({severity::note, configuration,
                         "Option " + std::string(name) + " of [" + std::string(place) + "] (" +
                             e.origin + ") is a former name.",
                         "Call it " + std::string(o.name) + " in [" + std::string(group.name) +
                             "]: a later version of Python's library may not know it any more."});
      }
}

/// In sections that belong to the library alone: an application has its own keys in [DEFAULT].
void look_at_unknown_keys(const config& conf, findings& all) {
  for (const auto& group : option_groups()) {
    if (group.name == "DEFAULT") continue;
    for (const auto& key : conf.keys(group.name)) {
      const bool known = std::ranges::any_of(group.options, [&](const option& o) {
        return o.name == key || std::ranges::find(o.deprecated, key) != o.deprecated.end();
      });
      if (!known)
        all.push_back({severity::note, configuration,
                       "There is no option " + key + " of [" + std::string(group.name) + "] (" +
                           conf.find(group.name, key).back().origin + "): it is ignored.",
                       "Look for a misspelling; docs/options.md has all that there is."});
    }
  }
}

/// Those of the drivers are read with the URL.
void look_at_options(const config& conf, findings& all) {
  for (const auto& [name, options] :
       {option_group{"DEFAULT", default_options()},
        option_group{"oslo_messaging_notifications", notify::notification_options()},
        option_group{"oslo_messaging_tracing", tracing_options()},
        option_group{"oslo_messaging_metrics", metrics_options()}})
    into(all, configuration, "Mend it there.", [&, group = name, known = options] {
      const option_values values(std::string(group), known, conf);
      if (auto unused = values.without_effect(); !unused.empty())
        all.push_back({severity::note, configuration, std::move(unused)});
    });
}

struct bus {
  std::string url;
  bool rpc = true, notifications = true;
};

/// A notification transport of its own is another bus.
std::vector<bus> buses_of(const config& conf) {
  const option_values defaults("DEFAULT", default_options(), conf);
  const auto notifications = notify::read_options(conf);
  std::vector<bus> all{{without_line_breaks(defaults.string("transport_url"))}};
  if (notifications.is_set("transport_url"))
    if (auto own = without_line_breaks(notifications.string("transport_url"));
        own != all.front().url) {
      all.front().notifications = false;
      all.push_back({std::move(own), false, true});
    }
  return all;
}

examination examination_of(const bus& b, const config& conf, const checkup& what) {
  examination e;
  e.timeout = what.timeout;
  e.roles = what.roles;
  const bool named = !what.topics.empty();
  if (e.roles.empty() && named) e.roles = {bus_role::client, bus_role::server};
  if (e.roles.empty()) e.roles = {bus_role::client, bus_role::notifier, bus_role::listener};
  if (!b.rpc)
    std::erase_if(e.roles,
                  [](bus_role r) { return r == bus_role::client || r == bus_role::server; });
  if (!b.notifications)
    std::erase_if(e.roles,
                  [](bus_role r) { return r == bus_role::notifier || r == bus_role::listener; });
  if (b.rpc)
    for (const auto& t : what.topics) e.topics.push_back({.topic = t});
  if (!b.notifications) return e;
  const auto topics = named ? what.topics : notify::read_options(conf).list("topics");
  for (const auto& t : topics) {
    // The one that is used most stands first.
    e.notifications.push_back({{.topic = t}, "info"});
    for (const auto p : notify::all_priorities)
      if (p != notify::priority::info)
        e.notifications.push_back({{.topic = t}, std::string(to_string(p))});
  }
  return e;
}

void look_at_bus(const bus& b, const config& conf, const checkup& what,
                 const driver_registry& drivers, findings& all) {
  into(all, configuration, "Mend it; docs/options.md has all that there is.", [&] {
    const auto url = transport_url::parse(b.url);
    if (auto warning = credentials_warning(url); !warning.empty())
      all.push_back({severity::warning, configuration, std::move(warning),
                     "Give each host its own user:password@."});
    driver_environment env;
    env.conf = conf;
    env.default_exchange =
        option_values("DEFAULT", default_options(), conf).string("control_exchange");
    env.client_name = "oslo-msg doctor";
    for (auto& f : drivers.examine(url, env, examination_of(b, conf, what)))
      all.push_back(std::move(f));
  });
}

}  // namespace

findings examine(std::string_view url, const config& conf, const checkup& what,
                 const driver_registry& drivers) {
  findings all;
  look_at_options(conf, all);
  look_at_former_names(conf, all);
  look_at_unknown_keys(conf, all);
  std::vector<bus> buses;
  if (!url.empty())
    buses.push_back({std::string(url)});
  else if (!hurts(all))
    into(all, configuration, "Mend it there.", [&] { buses = buses_of(conf); });
  auto within = what;
  const auto until = deadline_after(std::chrono::steady_clock::now(), what.timeout)
                         .value_or(std::chrono::steady_clock::time_point::max());
  for (const auto& b : buses) {
    look_at_bus(b, conf, within, drivers, all);
    within.timeout = std::max(std::chrono::milliseconds(0),
                              std::chrono::duration_cast<std::chrono::milliseconds>(
                                  until - std::chrono::steady_clock::now()));
  }
  // What a broker says must not pass for a line of ours, or for a command to a terminal.
  for (auto& f : all)
    for (auto* text : {&f.subject, &f.text, &f.advice}) *text = one_line(*text);
  return all;
}

findings examine(std::string_view url, const config& conf, const checkup& what) {
  return examine(url, conf, what, default_drivers());
}

}  // namespace oslo::messaging
