// Where the text of an option comes from.
#pragma once

#include <map>
#include <oslo/messaging/config.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging {

/// `config::entry::layer` of a variable of the environment: over all files, below the program.
constexpr unsigned from_environment = config::from_program - 1;

/// The form in which names of groups are compared: lower case, except DEFAULT.
std::string normal_group(std::string_view name);

/// A value that cannot be used. The text goes on after "which ...", or tells what is wrong with
/// it; whoever knows option and place makes it a `configuration_error`.
class value_fault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// All entries of an option under its present and deprecated names. The last one counts for an
/// option with a single value; a multi-string takes all.
std::vector<const config::entry*> find_entries(const config& conf, std::string_view group,
                                               const option& opt);

/// For the log: one line for each former name whose value counts, in `conf` or in the query of a
/// URL.
std::vector<std::string> former_names_in_use(const config& conf, std::string_view group,
                                             std::span<const option> options,
                                             const std::map<std::string, std::string>& query = {});

/// Option transport_url of a group, without the line breaks of a value that goes on over several
/// lines of a file; empty when it is not set.
std::string configured_url(const option_values& group);

/// The option of that name, present or deprecated, or null.
const option* find_option(std::span<const option> options, std::string_view group,
                          std::string_view name);

/// Replaces `$name` and its kin in the values of one group.
class substitution {
 public:
  /// The arguments must outlive the object.
  substitution(const config& conf, std::string_view group, std::span<const option> options)
      : conf_(conf), group_(group), options_(options) {}

  /// Throws `value_fault` for an unknown name, a circle, or a result beyond all measure. Its text
  /// does not hold any name from `text` when `secret`.
  std::string expand(std::string_view name, std::string_view text, bool secret) const;

 private:
  struct progress;
  struct found {
    std::string group, name, text;
  };

  std::string expand(std::string_view text, std::string_view group, progress& p) const;
  std::string value_of(std::string_view name, std::string_view group, progress& p) const;
  bool find(std::string_view group, std::string_view name, found& out) const;

  const config& conf_;
  std::string_view group_;
  std::span<const option> options_;
};

}  // namespace oslo::messaging
