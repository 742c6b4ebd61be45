// The request context that travels with every message.
#pragma once

#include <oslo/messaging/value.hpp>
#include <string_view>

namespace oslo::messaging {

/// A JSON object that travels beside the arguments: user, project, request id, trace ids.
/// On the wire each entry is a key of its own (`_context_<key>`, spec section 3.3).
///
/// Thread safety: distinct objects are safe; sharing one for reading only is safe.
class context {
 public:
  context() = default;
  explicit context(object entries) : entries_(std::move(entries)) {}
  context(std::initializer_list<std::pair<boost::json::string_view, boost::json::value_ref>> init)
      : entries_(init) {}

  const object& entries() const noexcept { return entries_; }
  object& entries() noexcept { return entries_; }
  bool empty() const noexcept { return entries_.empty(); }
  /// The entry, or null when absent.
  const value* find(std::string_view key) const noexcept {
    return entries_.if_contains({key.data(), key.size()});
  }
  bool operator==(const context&) const = default;

 private:
  object entries_;
};

}  // namespace oslo::messaging
