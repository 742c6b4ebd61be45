// oslo.config files, and typed options over them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging {

/// The text of one or more oslo.config files: groups of keys with one or more raw values.
///
/// Groups are case sensitive; options that stand before the first group are an error; `#` and `;`
/// start a comment line; an indented line continues the value above; a repeated key adds a value
/// (the last one counts unless the option is a multi-string). Values may use `$name`,
/// `${name}`, `${group.name}` and `$$`.
///
/// Thread safety: const members may be called from any number of threads.
class config {
 public:
  struct entry {
    std::string text;    ///< as written, continuation lines joined by '\n'
    std::string origin;  ///< "nova.conf:12"
  };

  config() = default;
  /// Reads files in order; a later one overrides. Throws `configuration_error` that names file and
  /// line.
  static config load(std::span<const std::string> files);
  static config load(const std::string& file) { return load({&file, 1}); }
  /// Reads `text`; `name` stands for the file in errors.
  static config parse(std::string_view text, std::string name = "<text>");
  /// Sets one option, over whatever the files say.
  void set(std::string_view group, std::string_view key, std::string text);

  /// All values of a key, in file order; empty when absent. No substitution.
  std::span<const entry> find(std::string_view group, std::string_view key) const;

 private:
  std::map<std::string, std::map<std::string, std::vector<entry>, std::less<>>, std::less<>> groups_;
};

enum class option_type { string, boolean, integer, floating, list, multi_string, dict };

/// One option of a group: what it is called, what it holds, and what it means.
struct option {
  std::string_view name;
  option_type type = option_type::string;
  std::string_view default_value;  ///< as text; ignored when `has_default` is false
  std::string_view help;
  bool has_default = true;
  bool secret = false;
  std::optional<double> min{};
  std::optional<double> max{};
  std::vector<std::string_view> choices{};  ///< for strings; compared exactly
  /// Former names, "name" or "group/name".
  std::vector<std::string_view> deprecated{};
};

/// The values of one option group for one transport: URL query over config over default.
/// Every query key and every value is checked when the object is made.
///
/// Thread safety: immutable.
class option_values {
 public:
  /// Throws `configuration_error` for an unknown query key, or a value of the wrong type or out of
  /// range; the text names group, option, value (unless secret) and where it stands.
  option_values(std::string group, std::span<const option> options, const config& conf,
                const std::map<std::string, std::string>& query = {});

  bool is_set(std::string_view name) const;  ///< false: no value and no default
  std::string string(std::string_view name) const;
  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double floating(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;  ///< list and multi_string
  std::map<std::string, std::string> dict(std::string_view name) const;

 private:
  struct parsed;
  std::shared_ptr<const parsed> parsed_;
};

/// The options of [DEFAULT] that every transport reads (spec section 2.1).
std::span<const option> default_options();

}  // namespace oslo::messaging
