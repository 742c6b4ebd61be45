#include <algorithm>

#include "core/config/option_lookup.hpp"

namespace oslo::messaging {
namespace {

constexpr std::size_t max_result = std::size_t{1} << 20;
constexpr unsigned max_steps = 10'000;
constexpr std::size_t max_depth = 100;

bool begins_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool continues_name(char c) noexcept {
  return begins_name(c) || (c >= '0' && c <= '9') || c == '.';
}

/// The longest name at the start of `text`; may be empty.
std::string_view leading_name(std::string_view text) noexcept {
  if (text.empty() || !begins_name(text[0])) return {};
  return text.substr(
      0, static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), continues_name) -
                                  text.begin()));
}

}  // namespace

/// What one expansion has used up. Steps bound the time, also where nothing but empty values is
/// inserted; the path finds circles.
struct substitution::progress {
  unsigned steps = 0;
  std::vector<std::string> path;
};

std::string substitution::expand(std::string_view name, std::string_view text, bool secret) const {
  progress p;
  p.path.push_back(normal_group(group_) + "." + std::string(name));
  try {
    return expand(text, group_, p);
  } catch (const value_fault&) {
    if (secret)
      throw value_fault("holds a $name that cannot be replaced; write $$ for a dollar sign");
    throw;
  }
}

std::string substitution::expand(std::string_view text, std::string_view group, progress& p) const {
  // As oslo.config: first "\$" becomes "$$", then the dollar signs are looked at.
  std::string escaped;
  for (auto at = text.find("\\$"); at != std::string_view::npos; at = text.find("\\$")) {
    escaped.append(text.substr(0, at)).append("$$");
    text.remove_prefix(at + 2);
  }
  escaped.append(text);

  std::string out;
  std::string_view rest = escaped;
  while (!rest.empty()) {
    const auto dollar = std::min(rest.find('$'), rest.size());
    out.append(rest.substr(0, dollar));
    rest.remove_prefix(dollar);
    if (rest.empty()) break;
    rest.remove_prefix(1);
    if (rest.starts_with('$')) {
      out += '$';
      rest.remove_prefix(1);
      continue;
    }
    const bool braced = rest.starts_with('{');
    const auto name = leading_name(rest.substr(braced ? 1 : 0));
    if (name.empty() || (braced && !rest.substr(1 + name.size()).starts_with('}'))) {
      out += '$';  // not a substitution; the text after it stays as it is
      continue;
    }
    rest.remove_prefix(name.size() + (braced ? 2 : 0));
    out.append(value_of(name, group, p));
    if (out.size() > max_result)
      throw value_fault("becomes longer than " + std::to_string(max_result) +
                        " bytes by its substitutions");
  }
  return out;
}

std::string substitution::value_of(std::string_view name, std::string_view group,
                                   progress& p) const {
  if (++p.steps > max_steps)
    throw value_fault("needs more than " + std::to_string(max_steps) + " substitutions");
  found f;
  const auto dot = name.find('.');
  const bool other = dot != std::string_view::npos;
  if (!find(other ? name.substr(0, dot) : group, other ? name.substr(dot + 1) : name, f) &&
      !find("DEFAULT", name, f))
    throw value_fault(
        p.path.size() == 1
            ? "holds $" + std::string(name) + ", which names no option; write $$ for a dollar sign"
            // The value of another option may be a secret.
            : "leads to " + p.path.back() + ", which holds a $name that names no option");
  auto here = normal_group(f.group) + "." + f.name;
  if (std::find(p.path.begin(), p.path.end(), here) != p.path.end()) {
    std::string circle;
    for (const auto& step : p.path) circle += step + " -> ";
    throw value_fault("substitutes itself: " + circle + here);
  }
  if (p.path.size() >= max_depth)
    throw value_fault("has substitutions more than " + std::to_string(max_depth) + " levels deep");
  p.path.push_back(std::move(here));
  auto value = expand(f.text, f.group, p);
  p.path.pop_back();
  return value;
}

bool substitution::find(std::string_view group, std::string_view name, found& out) const {
  const auto normal = normal_group(group);
  std::span<const option> known;
  if (normal == normal_group(group_))
    known = options_;
  else if (normal == "DEFAULT")
    known = default_options();
  if (const option* o = find_option(known, normal, name)) {
    const auto entries = find_entries(conf_, normal, *o);
    std::string_view text;
    if (!entries.empty())
      text = entries.back()->text;
    else if (o->has_default)
      text = o->default_value;
    out = {normal, std::string(o->name), std::string(text)};
    return true;
  }
  const auto entries = conf_.find(normal, name);
  if (entries.empty()) return false;
  out = {normal, std::string(name), entries.back().text};
  return true;
}

}  // namespace oslo::messaging
