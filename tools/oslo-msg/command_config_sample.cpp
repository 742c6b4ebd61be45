// oslo-msg config-sample: a configuration file with every option at its default.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <oslo/messaging/config.hpp>
#include <string>
#include <string_view>

#include "config_sample.hpp"
#include "exit_status.hpp"
#include "output.hpp"

namespace oslo::messaging::cli {
namespace {

constexpr std::size_t width = 79;

const char* name_of(option_type t) {
  switch (t) {
    case option_type::string: return "string";
    case option_type::boolean: return "boolean";
    case option_type::integer: return "integer";
    case option_type::floating: return "floating point";
    case option_type::list: return "list";
    case option_type::multi_string: return "multi valued";
    case option_type::dict: return "dict";
  }
  return "";
}

std::string number(double v) {
  char text[32];
  return {text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%.17g", v))};
}

/// Words in lines that begin with "# ".
void comment(std::string& out, std::string_view text) {
  std::string line = "#";
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (line.size() > 1 && line.size() + 1 + word.size() > width) {
      out += line + '\n';
      line = "#";
    }
    line.append(1, ' ').append(word);
  }
  out += line + '\n';
}

const char* remark(option_effect e) {
  switch (e) {
    case option_effect::works: return "";
    case option_effect::none: return "No effect here. ";
    case option_effect::refused: return "Not supported here. ";
  }
  return "";
}

/// As oslo-config-generator writes it, with the value behind a single "#".
void describe(std::string& out, std::string_view group, const option& o) {
  out += '\n';
  comment(out, remark(o.effect) + std::string(o.help) + " (" + name_of(o.type) + " value)");
  if (o.min) out += "# Minimum value: " + number(*o.min) + '\n';
  if (o.max) out += "# Maximum value: " + number(*o.max) + '\n';
  if (!o.choices.empty()) {
    out += "# Possible values:\n";
    for (const auto c : o.choices) out.append("# ").append(c).append(1, '\n');
  }
  for (const auto old : o.deprecated) {
    const auto slash = old.find('/');
    out.append("# Deprecated group/name - [")
        .append(slash == old.npos ? group : old.substr(0, slash))
        .append("]/")
        .append(old.substr(slash == old.npos ? 0 : slash + 1))
        .append(1, '\n');
  }
  if (!o.has_default) out += "# Not set by default.\n";
  auto rest = o.has_default ? o.default_value : std::string_view();
  do {  // in a file each value of several has a line of its own
    const auto comma = o.type == option_type::multi_string ? rest.find(',') : rest.npos;
    out.append(1, '#').append(o.name).append(" =");
    if (!rest.empty()) out.append(1, ' ').append(rest.substr(0, comma));
    out += '\n';
    rest.remove_prefix(comma == rest.npos ? rest.size() : comma + 1);
  } while (!rest.empty());
}

std::string sample() {
  std::string out;
  for (const auto& group : option_groups()) {
    if (!out.empty()) out += "\n\n";
    out.append(1, '[').append(group.name).append("]\n");
    for (const auto& o : group.options) describe(out, group.name, o);
  }
  return out;
}

}  // namespace

void add_config_sample(CLI::App& app, program& p) {
  CLI::App* command = app.add_subcommand(
      "config-sample",
      "Prints a configuration file with every option, its meaning and its default; all of them "
      "are commented out");
  command->footer("\nExample: oslo-msg config-sample > calc.conf");
  command->callback([&p] {
    p.run = [] {
      print(sample());
      return done;
    };
  });
}

}  // namespace oslo::messaging::cli
