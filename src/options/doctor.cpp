// The configuration and the buses that it names, looked at from outside.
#include <algorithm>
#include <oslo/messaging/detail/current_failure.hpp>
#include <oslo/messaging/doctor.hpp>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/notify/options.hpp>
#include <oslo/messaging/notify/priority.hpp>
#include <oslo/messaging/transport.hpp>
#include <utility>

#include "core/config/option_lookup.hpp"
#include "core/saturating.hpp"
#include "core/tasks/default_executor.hpp"
#include "core/utf8.hpp"
#include "drivers/common_options.hpp"
#include "notify/drivers.hpp"

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
        for (const auto& e : conf.find(place, name)) {
          const bool ignored = e.layer == from_environment;
          all.push_back({severity::note, configuration,
                         "Option " + std::string(name) + " of [" + std::string(place) + "] (" +
                             e.origin +
                             (ignored ? ") is a former name, which is not looked for in the "
                                        "environment: it is ignored."
                                      : ") is a former name."),
                         "Call it " + std::string(o.name) + " in [" + std::string(group.name) +
                             (ignored ? "]."
                                      : "]: a later version of Python's library may not know it "
                                        "any more.")});
        }
      }
}

/// In sections that belong to the library alone: an application has its own keys in [DEFAULT].
void look_at_unknown_keys(const config& conf, findings& all) {
  for (const auto& group : option_groups()) {
    if (group.name == "DEFAULT") continue;
    for (const auto& key : conf.keys(group.name)) {
      // Settings of librdkafka, which only that library knows (docs/kafka.md).
      if (group.name == "oslo_messaging_kafka" && key.starts_with("cpp_rdkafka")) continue;
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
  std::vector<bus> all{{configured_url({"DEFAULT", default_options(), conf})}};
  auto own = configured_url(notify::read_options(conf));
  if (!own.empty() && own != all.front().url) {
    all.front().notifications = false;
    all.push_back({std::move(own), false, true});
  }
  return all;
}

std::vector<bus_role> roles_of(const checkup& what) {
  if (!what.roles.empty()) return what.roles;
  if (!what.topics.empty()) return {bus_role::client, bus_role::server};
  return {bus_role::client, bus_role::notifier, bus_role::listener};
}

/// What a program of these roles would be told when it makes its objects.
void look_at_roles(const config& conf, const checkup& what, findings& all) {
  const auto roles = roles_of(what);
  const auto has = [&](bus_role r) { return std::ranges::find(roles, r) != roles.end(); };
  const auto look = [&](auto at) { into(all, configuration, "Mend it there.", at); };
  const auto defaults = [&] { return option_values("DEFAULT", default_options(), conf); };
  if (std::ranges::find(what.topics, "") != what.topics.end())
    all.push_back({severity::error, "topic", "It has no name.",
                   "Give it one: nothing is sent to a target without a topic."});
  if (has(bus_role::client))
    look([&] {
      const auto values = defaults();
      if (values.integer("rpc_response_timeout") <= 0)
        all.push_back({severity::error, configuration,
                       values.described("rpc_response_timeout") +
                           ": calls without a timeout of their own end at once.",
                       "Give calls a time to be answered in."});
    });
  if (has(bus_role::server) || has(bus_role::listener))
    look([&] { default_pool_size(defaults()); });
  if (has(bus_role::notifier))
    look([&] {
      for (auto& f : notify::look_at_drivers(conf)) all.push_back(std::move(f));
    });
}

examination examination_of(const bus& b, const config& conf, const checkup& what) {
  examination e;
  e.timeout = what.timeout;
  e.roles = roles_of(what);
  if (!b.rpc)
    std::erase_if(e.roles,
                  [](bus_role r) { return r == bus_role::client || r == bus_role::server; });
  if (!b.notifications)
    std::erase_if(e.roles,
                  [](bus_role r) { return r == bus_role::notifier || r == bus_role::listener; });
  if (b.rpc)
    for (const auto& t : what.topics) e.topics.push_back({.topic = t});
  if (!b.notifications) return e;
  const auto topics = what.topics.empty() ? notify::read_options(conf).list("topics") : what.topics;
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

/// Each once, and none without a name.
std::vector<std::string> topics_of(const checkup& what) {
  std::vector<std::string> all;
  for (const auto& t : what.topics)
    if (!t.empty() && std::ranges::find(all, t) == all.end()) all.push_back(t);
  return all;
}

}  // namespace

findings examine(std::string_view url, const config& conf, const checkup& what,
                 const driver_registry& drivers) {
  findings all;
  look_at_options(conf, all);
  look_at_former_names(conf, all);
  look_at_unknown_keys(conf, all);
  const bool readable = !hurts(all);
  if (readable) look_at_roles(conf, what, all);
  std::vector<bus> buses;
  if (!url.empty())
    buses.push_back({std::string(url)});
  else if (readable)
    into(all, configuration, "Mend it there.", [&] { buses = buses_of(conf); });
  auto within = what;
  within.roles = roles_of(what);
  within.topics = topics_of(what);
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
    for (auto* text : {&f.subject, &f.text, &f.advice}) *text = to_one_line(*text);
  return all;
}

findings examine(std::string_view url, const config& conf, const checkup& what) {
  return examine(url, conf, what, default_drivers());
}

}  // namespace oslo::messaging
