// Reads a configuration file from standard input, and says where an option has another value than
// its default, or is missing.
#include <algorithm>
#include <iostream>
#include <iterator>
#include <oslo/messaging/config.hpp>
#include <oslo/messaging/error.hpp>
#include <string>

namespace {

using namespace oslo::messaging;

std::string text_of(const option_values& values, const option& o) {
  if (!values.is_set(o.name)) return {};
  std::string out;
  switch (o.type) {
    case option_type::string: return values.string(o.name);
    case option_type::boolean: return values.boolean(o.name) ? "true" : "false";
    case option_type::integer: return std::to_string(values.integer(o.name));
    case option_type::floating: return std::to_string(values.floating(o.name));
    case option_type::list:
      for (const auto& item : values.list(o.name)) out += item + ",";
      return out;
    case option_type::multi_string:
      for (const auto& item : values.list(o.name)) out += item;  // one that is empty is none
      return out;
    case option_type::dict:
      for (const auto& [key, value] : values.dict(o.name)) out += key + ":" + value + ",";
      return out;
  }
  return out;
}

}  // namespace

int main() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  int faults = 0;
  try {
    const auto conf = config::parse(text, "sample");
    for (const auto& group : option_groups()) {
      const option_values sample(std::string(group.name), group.options, conf);
      const option_values defaults(std::string(group.name), group.options, {});
      for (const auto& o : group.options) {
        const std::string name = "[" + std::string(group.name) + "] " + std::string(o.name);
        const auto values = o.type == option_type::multi_string
                                ? std::max<std::size_t>(1, defaults.list(o.name).size())
                                : 1;
        if (conf.find(group.name, o.name).size() != values) {
          std::cout << name << " does not stand there once\n";
          ++faults;
        } else if (text_of(sample, o) != text_of(defaults, o)) {
          std::cout << name << " is " << text_of(sample, o) << " and not " << text_of(defaults, o)
                    << '\n';
          ++faults;
        }
      }
    }
  } catch (const messaging_error& e) {
    std::cout << e.what() << '\n';
    return 1;
  }
  return faults == 0 ? 0 : 1;
}
