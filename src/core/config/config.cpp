#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/error.hpp>
#include <system_error>

#include "core/config/option_lookup.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"

namespace oslo::messaging {
namespace {

constexpr std::size_t max_file_size = std::size_t{16} << 20;

[[noreturn]] void refuse_file(const std::string& name, std::string_view why) {
  throw_failure(
      {errc::invalid_config, "Config file " + to_one_line(name) + " " + std::string(why)});
}

std::string read_file(const std::string& name) {
  errno = 0;
  std::ifstream file(name, std::ios::binary);
  if (!file) refuse_file(name, "cannot be opened: " + std::generic_category().message(errno) + ".");
  std::string text;
  char block[16'384];
  while (file.read(block, sizeof block), file.gcount() > 0) {
    text.append(block, static_cast<std::size_t>(file.gcount()));
    if (text.size() > max_file_size)
      refuse_file(name, "is longer than the limit of " + std::to_string(max_file_size) + " bytes.");
  }
  if (file.bad())
    refuse_file(name, "cannot be read: " + std::generic_category().message(errno) + ".");
  return text;
}

/// Splits a text into lines and tells the parser what each one is.
class ini_parser {
 public:
  using sink = std::map<std::string, std::map<std::string, std::vector<config::entry>, std::less<>>,
                        std::less<>>;

  ini_parser(const std::string& name, unsigned layer, sink& groups)
      : name_(name), layer_(layer), groups_(groups) {}

  void parse(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    while (!text.empty()) {
      const auto end = std::min(text.find_first_of("\r\n"), text.size());
      ++line_number_;
      parse_line(text.substr(0, end));
      text.remove_prefix(end);
      if (text.starts_with("\r\n")) text.remove_prefix(1);
      if (!text.empty()) text.remove_prefix(1);
    }
    end_value();
  }

 private:
  void parse_line(std::string_view line) {
    if (line.find('\0') != std::string_view::npos) refuse("holds a NUL byte.");
    if (!is_utf8(line)) refuse("is not valid UTF-8.");
    line = strip_right(line);
    if (line.empty()) return end_value();
    if (line[0] == ' ' || line[0] == '\t') {
      if (!in_value_) refuse("is indented, but there is no value above that it could continue.");
      value_.append(1, '\n').append(strip_left(line));
      return;
    }
    end_value();
    if (line[0] == '[') return begin_group(line);
    if (line[0] != '#' && line[0] != ';') begin_value(line);
  }

  void begin_group(std::string_view line) {
    if (line.back() != ']') refuse("begins a group and must end with ']'.");
    if (line.size() <= 2) refuse("names an empty group.");
    group_ = &groups_[normal_group(line.substr(1, line.size() - 2))];
  }

  void begin_value(std::string_view line) {
    const auto separator = line.find_first_of(":=");
    if (separator == std::string_view::npos) refuse("has neither '=' nor ':'.");
    const auto key = strip(line.substr(0, separator));
    if (key.empty()) refuse("has no name before '=' or ':'.");
    if (group_ == nullptr) refuse("sets an option before the first [group].");
    auto value = strip(line.substr(separator + 1));
    if (!value.empty() && (value[0] == '"' || value[0] == '\'') && value.back() == value[0]) {
      value.remove_prefix(1);
      if (!value.empty()) value.remove_suffix(1);
    }
    key_ = key;
    value_ = value;
    value_line_ = line_number_;
    in_value_ = true;
  }

  void end_value() {
    if (!in_value_) return;
    in_value_ = false;
    (*group_)[std::move(key_)].push_back(
        {std::move(value_), name_ + ':' + std::to_string(value_line_), layer_});
  }

  [[noreturn]] void refuse(std::string_view why) const {
    throw_failure({errc::invalid_config,
                   name_ + ':' + std::to_string(line_number_) + ": The line " + std::string(why)});
  }

  const std::string& name_;
  const unsigned layer_;
  sink& groups_;
  sink::mapped_type* group_ = nullptr;
  std::size_t line_number_ = 0, value_line_ = 0;
  bool in_value_ = false;
  std::string key_, value_;
};

struct variable {
  std::string name, group, option, text;
};

/// The variables of the environment that oslo.config would look for: OS_GROUP__OPTION.
std::vector<variable> option_variables() {
  std::vector<variable> found;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view line(*at);
    const auto equals = line.find('=');
    const auto name = line.substr(0, equals);
    if (equals == line.npos || !name.starts_with("OS_") || !is_utf8(name)) continue;
    const auto path = name.substr(3);
    const auto between = path.find("__");
    if (between == path.npos || between == 0 || between + 2 == path.size()) continue;
    if (std::any_of(path.begin(), path.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
      continue;
    found.push_back({std::string(name), normal_group(path.substr(0, between)),
                     ascii_lower(path.substr(between + 2)), std::string(line.substr(equals + 1))});
  }
  return found;
}

}  // namespace

std::string normal_group(std::string_view name) {
  return name == "DEFAULT" ? std::string(name) : ascii_lower(name);
}

config config::load(std::span<const std::string> files) {
  config conf;
  unsigned layer = 0;
  for (const auto& file : files) conf.read(read_file(file), to_one_line(file), layer++);
  for (auto& v : option_variables())
    conf.groups_[v.group][v.option].push_back(
        {std::move(v.text), "environment variable " + v.name, from_environment});
  return conf;
}

config config::parse(std::string_view text, std::string name) {
  config conf;
  conf.read(text, name, 0);
  return conf;
}

void config::read(std::string_view text, const std::string& name, unsigned layer) {
  ini_parser{name, layer, groups_}.parse(text);
}

void config::set(std::string_view group, std::string_view key, std::string text) {
  auto& entries = groups_[normal_group(group)][std::string(key)];
  entries.clear();
  entries.push_back({std::move(text), "set by the program", from_program});
}

std::span<const config::entry> config::find(std::string_view group, std::string_view key) const {
  const auto g = groups_.find(normal_group(group));
  if (g == groups_.end()) return {};
  const auto k = g->second.find(key);
  if (k == g->second.end()) return {};
  return k->second;
}

std::vector<std::string> config::keys(std::string_view group) const {
  std::vector<std::string> all;
  if (const auto g = groups_.find(normal_group(group)); g != groups_.end())
    for (const auto& [key, entries] : g->second) all.push_back(key);
  return all;
}

}  // namespace oslo::messaging
