// YAML as plain values: what a configuration file needs of it, bounded.
#pragma once

#include <memory>
#include <oslo/messaging/error.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oslo::messaging::notify {

/// One value and where it stands.
struct yaml_value {
  enum class kind { null, scalar, sequence, map } what = kind::null;
  std::size_t line = 1;
  std::string text{};                                      ///< of a scalar
  std::vector<std::shared_ptr<const yaml_value>> items{};  ///< of a sequence
  std::vector<std::pair<std::shared_ptr<const yaml_value>, std::shared_ptr<const yaml_value>>>
      pairs{};  ///< of a map
};

struct yaml_limits {
  std::size_t bytes = std::size_t{1} << 20;
  std::size_t depth = 16;
  std::size_t values = 10'000;  ///< an alias counts as often as it is used, with all it holds
};

/// The one document of a text; null when it is empty. Throws `configuration_error` with
/// "file:line:" for what is not YAML, for tags other than those of plain data, for keys that stand
/// twice in a map, and beyond the limits. Without yaml-cpp it always throws.
std::shared_ptr<const yaml_value> parse_yaml(std::string_view text, const std::string& file,
                                             const yaml_limits& limits = {});

/// "file:line: what", as an exception.
[[noreturn]] void yaml_fault(const std::string& file, std::size_t line, const std::string& what);

}  // namespace oslo::messaging::notify
