#include "notify/routing/routing_rules.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <oslo/messaging/error.hpp>
#include <system_error>
#include <utility>

#include "core/text.hpp"
#include "notify/routing/yaml_tree.hpp"

namespace oslo::messaging::notify {
namespace {

using kind = yaml_value::kind;

bool any_of(const std::vector<glob>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const glob& g) { return g.matches(text); });
}

class reader {
 public:
  reader(const std::string& file, const logger& log) : file_(file), log_(log) {}

  std::vector<routing_rule> read(const yaml_value& root) const {
    std::vector<routing_rule> all;
    for (const auto& [group, drivers] : pairs(root, "the file", "groups"))
      for (const auto& [driver, rules] : pairs(*drivers, "group " + group->text, "drivers"))
        all.push_back(rule(*driver, *rules));
    return all;
  }

 private:
  /// The pairs of a map; none of nothing.
  const decltype(yaml_value::pairs)& pairs(const yaml_value& v, const std::string& who,
                                           const std::string& what) const {
    if (v.what != kind::map && v.what != kind::null)
      yaml_fault(file_, v.line, who + " has to hold " + what + " by name.");
    return v.pairs;
  }

  routing_rule rule(const yaml_value& driver, const yaml_value& rules) const {
    routing_rule out{driver.text, driver.line};
    for (const auto& [key, value] : pairs(rules, "driver " + driver.text, "rules")) {
      if (key->text == "accepted_events")
        out.events = patterns(*value, key->text, false);
      else if (key->text == "accepted_priorities")
        out.priorities = patterns(*value, key->text, true);
      else
        log_(log_level::warning, file_ + ":" + std::to_string(key->line) + ": \"" + key->text +
                                     "\" is no rule of a driver and is left out.");
    }
    return out;
  }

  std::vector<glob> patterns(const yaml_value& v, const std::string& key, bool fold) const {
    std::vector<glob> out;
    const auto add = [&](const yaml_value& one) {
      if (one.what != kind::scalar)
        yaml_fault(file_, one.line, key + " has to be a list of patterns.");
      if (one.text.size() > longest_pattern)
        yaml_fault(file_, one.line,
                   "a pattern of " + key + " has more than " + std::to_string(longest_pattern) +
                       " bytes.");
      out.emplace_back(fold ? ascii_lower(one.text) : one.text);
    };
    if (v.what == kind::sequence)
      for (const auto& item : v.items) add(*item);
    else
      add(v);  // one pattern without its brackets
    return out;
  }

  static constexpr std::size_t longest_pattern = 1'000;
  const std::string& file_;
  const logger& log_;
};

}  // namespace

bool routing_rule::accepts(std::string_view event_type, notify::priority p) const {
  return (!events || any_of(*events, event_type)) &&
         (!priorities || any_of(*priorities, to_string(p)));
}

std::vector<std::pair<std::string, std::size_t>> routing_rules::drivers() const {
  std::vector<std::pair<std::string, std::size_t>> out;
  for (const auto& rule : all_)
    if (std::none_of(out.begin(), out.end(), [&](const auto& d) { return d.first == rule.driver; }))
      out.emplace_back(rule.driver, rule.line);
  return out;
}

bool routing_rules::wants(std::string_view driver, std::string_view event_type,
                          notify::priority p) const {
  return std::any_of(all_.begin(), all_.end(), [&](const routing_rule& rule) {
    return rule.driver == driver && rule.accepts(event_type, p);
  });
}

routing_rules parse_routing_rules(std::string_view yaml, const std::string& file,
                                  const logger& log) {
  return routing_rules(reader(file, log).read(*parse_yaml(yaml, file)));
}

routing_rules load_routing_rules(const std::string& file, const logger& log) {
  const auto fault = [&]() -> configuration_error {
    return configuration_error(
        {errc::invalid_config, "Cannot read the routing_config file " + file + ": " +
                                   std::generic_category().message(errno) + "."});
  };
  errno = 0;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.c_str(), "rb"),
                                                           &std::fclose);
  if (!in) throw fault();
  std::string text;
  std::array<char, 4096> chunk;
  // One byte more than is allowed is enough to be refused.
  while (text.size() <= yaml_limits{}.bytes) {
    const auto n = std::fread(chunk.data(), 1, chunk.size(), in.get());
    if (n == 0) break;
    text.append(chunk.data(), n);
  }
  if (std::ferror(in.get()) != 0) throw fault();
  return parse_routing_rules(text, file, log);
}

}  // namespace oslo::messaging::notify
