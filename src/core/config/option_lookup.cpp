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
    for (const auto& e : conf.find(from.group, from.name)) all.push_back({&e, name});
  };
  collect({group, opt.name}, 0);
  for (std::size_t i = 0; i < opt.deprecated.size(); ++i)
    collect(split_deprecated(group, opt.deprecated[i]), i + 1);
  std::stable_sort(all.begin(), all.end(), [](const candidate& a, const candidate& b) {
    return a.entry->layer != b.entry->layer ? a.entry->layer < b.entry->layer : a.name > b.name;
  });
  std::vector<const config::entry*> entries;
  for (const auto& c : all) {
    // What the program sets replaces the values of the files, it does not add to them.
    if (c.entry->layer == config::from_program && !entries.empty() &&
        entries.back()->layer != config::from_program)
      entries.clear();
    entries.push_back(c.entry);
  }
  return entries;
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
