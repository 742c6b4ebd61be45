// Prints the tables of docs/options.md from the tables that the library reads.
#include <cstdio>
#include <iostream>
#include <oslo/messaging/config.hpp>
#include <string>

namespace {

using oslo::messaging::option;
using oslo::messaging::option_effect;
using oslo::messaging::option_group;
using oslo::messaging::option_type;

const char* name_of(option_type t) {
  switch (t) {
    case option_type::string: return "string";
    case option_type::boolean: return "boolean";
    case option_type::integer: return "integer";
    case option_type::floating: return "number";
    case option_type::list: return "list";
    case option_type::multi_string: return "strings";
    case option_type::dict: return "dict";
  }
  return "";
}

const char* name_of(option_effect e) {
  switch (e) {
    case option_effect::works: return "works";
    case option_effect::none: return "no effect here";
    case option_effect::refused: return "refused";
  }
  return "";
}

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", v);
  return text;
}

std::string type_of(const option& o) {
  std::string text = name_of(o.type);
  if (o.min) text += o.max ? ", " + number(*o.min) + " to " : ", from " + number(*o.min);
  if (o.max) text += (o.min ? "" : ", up to ") + number(*o.max);
  if (!o.choices.empty()) {
    text = "one of";
    for (const auto c : o.choices) text.append(" `").append(c).append("`");
  }
  return text;
}

std::string default_of(const option& o) {
  if (!o.has_default) return "not set";
  return o.default_value.empty() ? "empty" : "`" + std::string(o.default_value) + "`";
}

void print(const option_group& group) {
  std::cout << "\n## [" << group.name
            << "]\n\n| option | type | default | status | |\n|---|---|---|---|---|\n";
  for (const auto& o : group.options) {
    std::cout << "| `" << o.name << "` | " << type_of(o) << " | " << default_of(o) << " | "
              << name_of(o.effect) << " | " << o.help;
    const char* before = " Formerly ";
    for (const auto old : o.deprecated) {
      const auto slash = old.find('/');
      std::cout << before << '`';
      if (slash != old.npos) std::cout << '[' << old.substr(0, slash) << "] ";
      std::cout << old.substr(slash == old.npos ? 0 : slash + 1) << '`';
      before = ", ";
    }
    std::cout << (o.deprecated.empty() ? "" : ".") << " |\n";
  }
}

}  // namespace

int main() {
  for (const auto& group : oslo::messaging::option_groups()) print(group);
}
