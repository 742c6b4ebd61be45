#include "core/config/option_lookup.hpp"

#include <algorithm>

namespace oslo::messaging {
namespace {

struct option_name {
  std::string_view group, name;
};

option_name split_deprecated(std::string_view group, std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return {group, text};
  return {text.substr(0, slash), text.substr(slash + 1)};
}

}  // namespace

std::vector<const config::entry*> find_entries(const config& conf, std::string_view group,
                                               const option& opt) {
  struct candidate {
    const config::entry* entry;
    std::size_t name;  // 0 = the present name
  };
  std::vector<candidate> all;
  const auto collect = [&](option_name from, std::size_t name) {
    for (const auto& e : conf.find(from.group, from.name)) {
      // oslo.config looks for the variable of the present name alone.
      if (name != 0 && e.layer == from_environment) continue;
      all.push_back({&e, name});
    }
  };
  collect({group, opt.name}, 0);
  for (std::size_t i = 0; i < opt.deprecated.size(); ++i)
    collect(split_deprecated(group, opt.deprecated[i]), i + 1);
  std::stable_sort(all.begin(), all.end(), [](const candidate& a, const candidate& b) {
    return a.entry->layer != b.entry->layer ? a.entry->layer < b.entry->layer : a.name > b.name;
  });
  std::vector<const config::entry*> entries;
  for (const auto& c : all) {
    // What program or environment set replaces the values of the files, it does not add to them.
    if (c.entry->layer >= from_environment && !entries.empty() &&
        entries.back()->layer != c.entry->layer)
      entries.clear();
    entries.push_back(c.entry);
  }
  return entries;
}

std::vector<std::string> former_names_in_use(const config& conf, std::string_view group,
                                             std::span<const option> options,
                                             const std::map<std::string, std::string>& query) {
  std::vector<std::string> lines;
  const auto say = [&](const option& o, option_name old, std::string_view place) {
    lines.push_back("Deprecated: Option \"" + std::string(old.name) + "\" of group [" +
                    std::string(old.group) + "] (" + std::string(place) + ") is \"" +
                    std::string(o.name) + "\" of group [" + std::string(group) + "] now.");
  };
  for (const option& o : options) {
    const auto entries = find_entries(conf, group, o);
    const bool in_url = query.contains(std::string(o.name));
    for (const auto text : o.deprecated) {
      const auto old = split_deprecated(group, text);
      if (old.group == group && !in_url && query.contains(std::string(old.name)))
        say(o, old, "in the query of the transport URL");
      // Files that two versions read have an option under both names.
      for (const auto& e : conf.find(old.group, old.name)) {
        const bool counts = o.type == option_type::multi_string
                                ? std::find(entries.begin(), entries.end(), &e) != entries.end()
                                : !entries.empty() && entries.back() == &e;
        if (!counts) continue;
        say(o, old, e.origin);
        break;
      }
    }
  }
  return lines;
}

std::string configured_url(const option_values& group) {
  if (!group.is_set("transport_url")) return {};
  auto url = group.string("transport_url");
  std::erase(url, '\n');
  return url;
}

const option* find_option(std::span<const option> options, std::string_view group,
                          std::string_view name) {
  for (const auto& o : options)
    if (o.name == name) return &o;
  for (const auto& o : options)
    for (const auto old : o.deprecated) {
      const auto from = split_deprecated(group, old);
      if (from.name == name && normal_group(from.group) == normal_group(group)) return &o;
    }
  return nullptr;
}

}  // namespace oslo::messaging
