// oslo.config files, and typed options over them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// The text of one or more oslo.config files: groups of keys with one or more raw values.
///
/// The rules are those of oslo.config: names of groups are compared without regard to case, except
/// that DEFAULT must be in capitals; options that stand before the first group are an error; `#`
/// and
/// `;` start a comment line, also between an option and its continuation, which is then an error;
/// an indented line continues the value above, whatever it holds; an empty line ends the value;
/// matching quotes around the first line of a value are removed; a repeated key adds a value (the
/// last one counts unless the option is a multi-string). Values may use `$name`, `${name}`,
/// `${group.name}`,
/// `$$` and `\$` (see `option_values`).
///
/// Beyond oslo.config: a byte order mark is skipped, a NUL byte is an error, a file has at most
/// 16 MiB. Errors name file and line and never repeat the line, which may hold a password.
///
/// Thread safety: const members may be called from any number of threads.
class config {
 public:
  /// One value of a key.
  struct entry {
    std::string text;    ///< as written, continuation lines joined by '\n'
    std::string origin;  ///< "nova.conf:12"
    /// Which source it comes from: 0 for the first file, counting up; `from_program` for `set`.
    unsigned layer = 0;
  };

  /// The layer of what `set` has set: above every file.
  static constexpr unsigned from_program = ~0u;

  config() = default;
  /// Reads files in order, where a later one overrides, and over them variables OS_GROUP__OPTION of
  /// the environment. Throws `configuration_error` that names file and line, or the variable.
  static config load(std::span<const std::string> files);
  static config load(const std::string& file) { return load({&file, 1}); }
  /// Reads `text`; `name` stands for the file in errors.
  static config parse(std::string_view text, std::string name = "<text>");
  /// Sets one option, over whatever the files say.
  void set(std::string_view group, std::string_view key, std::string text);

  /// All values of a key, in file order; empty when absent. No substitution.
  std::span<const entry> find(std::string_view group, std::string_view key) const;
  /// The keys of a group, sorted; for what looks for mistakes in a file.
  std::vector<std::string> keys(std::string_view group) const;

 private:
  void read(std::string_view text, const std::string& name, unsigned layer);

  std::map<std::string, std::map<std::string, std::vector<entry>, std::less<>>, std::less<>>
      groups_;
};

/// How the text of an option is read; `option_values` says it in full.
enum class option_type { string, boolean, integer, floating, list, multi_string, dict };

/// What becomes of an option here. Python's library has more than this one needs or can do.
enum class option_effect {
  works,
  none,     ///< accepted, so that a file may be shared with Python, and without any effect
  refused,  ///< not supported: any value but the default is an error
};

/// One option of a group: what it is called, what it holds, and what it means.
struct option {
  /// As it stands in a file.
  std::string_view name;
  option_type type = option_type::string;   ///< what its text has to be
  std::string_view default_value;           ///< as text; ignored when `has_default` is false
  std::string_view help;                    ///< one sentence for people
  bool has_default = true;                  ///< false: not set unless somebody sets it
  bool secret = false;                      ///< never shown in errors
  std::optional<double> min{};              ///< of a number; none: no limit
  std::optional<double> max{};              ///< likewise
  std::vector<std::string_view> choices{};  ///< for strings; compared exactly
  /// Former names, "name" or "group/name".
  std::vector<std::string_view> deprecated{};
  option_effect effect = option_effect::works;  ///< what becomes of its value here
};

/// The values of one option group for one transport: URL query over config over default.
/// Every query key and every value is checked when the object is made. Values are read by the rules
/// of oslo.config:
///
/// - boolean: true, 1, on, yes, false, 0, off, no in any case.
/// - integer, floating: as Python's int() and float(); an empty value means "not set".
/// - list: items between commas, without surrounding white space; commas at the end are ignored.
/// - dict: `key:value` pairs between commas; a piece without a colon belongs to the next pair.
/// - multi_string: every value of the key. One that comes from a query is split at commas, because
///   repeated keys of a query are joined by them.
///
/// Substitution: in values and defaults (not in a query) `$name` and `${name}` stand for the option
/// of that name in the same group, else in DEFAULT; `$group.name` for one of another group. Known
/// are the options of this group, those of `default_options()`, and whatever stands in the files. A
/// name that is unknown is an error; `$$` and `\$` stand for a dollar sign. The text of an option
/// is inserted as it is written (oslo.config inserts Python's form: "True", "['a', 'b']").
///
/// A deprecated name works like the present one. Of two files the later one counts, whichever name
/// it uses; within a file (or a query) the present name counts.
///
/// Cheap to copy; one that was moved from stays what it was.
/// Thread safety: immutable.
class option_values {
 public:
  /// Throws `configuration_error` for an unknown query key, a value of the wrong type or out of
  /// range, or one of an option that is refused; the text names group, option, value (unless
  /// secret) and where it stands. `url` is shown in errors about the query: pass `redacted(url)`.
  /// Keys of a file that no option has are ignored, as oslo.config does.
  option_values(std::string group, std::span<const option> options, const config& conf,
                const std::map<std::string, std::string>& query = {}, std::string_view url = {});
  option_values(const option_values&) noexcept = default;
  option_values& operator=(const option_values&) noexcept = default;

  // Each throws `configuration_error` when the group has no such option, when it is of another
  // type, or when it is not set.
  /// False: no value and no default, or a number that was given as an empty text.
  bool is_set(std::string_view name) const;
  /// Text, as substitution leaves it.
  std::string string(std::string_view name) const;
  /// True or false.
  bool boolean(std::string_view name) const;
  /// A number that was checked against the limits of its option.
  std::int64_t integer(std::string_view name) const;
  /// Likewise.
  double floating(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;  ///< list and multi_string
  /// Keys and values as text.
  std::map<std::string, std::string> dict(std::string_view name) const;

  /// The beginning of a sentence about a value: option, group, value (unless secret), and where it
  /// stands: `Option "retry" of group [x] has the value "2" (nova.conf:3)`.
  std::string described(std::string_view name) const;
  /// One line that names the options of `option_effect::none` that have another value than their
  /// default, and where; empty when there are none. For a warning.
  std::string without_effect() const;

 private:
  struct parsed;
  std::shared_ptr<const parsed> parsed_;
};

/// The options of [DEFAULT] that every transport reads (docs/options.md).
std::span<const option> default_options();

/// One section of a configuration file.
struct option_group {
  std::string_view name;            ///< "oslo_messaging_rabbit"
  std::span<const option> options;  ///< in the order in which a sample file would show them
};

/// Every group that the library reads, those of `default_drivers()` included, with all of its
/// options (oslo: `opts.list_opts`); what they refer to is constant and lives as long as the
/// program. For tools that check, document or write configuration files. Thread safety: may be
/// called from any thread.
std::span<const option_group> option_groups();

}  // namespace oslo::messaging

#pragma GCC visibility pop
