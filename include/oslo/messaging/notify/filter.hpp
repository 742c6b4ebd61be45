// Which notifications an endpoint wants.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/notify/notification.hpp>
#include <string>

#pragma GCC visibility push(default)

namespace oslo::messaging::notify {

/// Regular expressions over a notification (NotificationFilter in Python). Each is
/// anchored at the start only, as Python's `re.match`: "compute\\." matches "compute.start". Every
/// one that is given has to match; of a key that is missing, or whose value is not text, none does.
///
/// The syntax is that of RE2, which lacks Python's back references and look-around. In exchange no
/// expression takes more than linear time, whatever a publisher writes. `\\d`, `\\w` and `\\s` are
/// ASCII; `$` does not match before a last line break.
struct filter_rules {
  std::map<std::string, std::string> context{};   ///< keys of the context
  std::optional<std::string> publisher_id{};      ///< of the whole id
  std::optional<std::string> event_type{};        ///< of the whole type
  std::map<std::string, std::string> metadata{};  ///< keys message_id and timestamp
  std::map<std::string, std::string> payload{};   ///< keys of a payload that is an object
};

/// Compiled rules. Copies share them; one that was moved from stays what it was.
///
/// Thread safety: const members from any thread.
class filter {
 public:
  filter() = default;  ///< takes everything
  filter(const filter&) noexcept = default;
  filter& operator=(const filter&) noexcept = default;
  /// Throws `configuration_error` that names the place of an expression that is none.
  filter(const filter_rules& rules);  // NOLINT(google-explicit-constructor): rules are a filter
  /// True when every rule matches.
  bool matches(const notification& n) const;
  /// True without any rule.
  bool takes_everything() const noexcept { return impl_ == nullptr; }

 private:
  class impl;
  std::shared_ptr<const impl> impl_;
};

}  // namespace oslo::messaging::notify

#pragma GCC visibility pop
