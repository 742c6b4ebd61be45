// The request context that travels with every message.
#pragma once

#include <map>
#include <oslo/messaging/value.hpp>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging {

/// A JSON object that travels beside the arguments: user, project, request id, trace ids.
/// On the wire each entry is a key of its own (`_context_<key>`, docs/wire/rpc.md, RPC-6).
///
/// A peer in Python may put integers of any length into it. `entries` shows those beyond 64 bits
/// as the nearest double, but a context that is passed on leaves with the digits that it came with,
/// up to 4,300 of them, which is as many as Python reads. They belong to their entry in this object
/// and its copies: they are gone once that was changed, and are not copied with `entries` alone.
///
/// Thread safety: distinct objects are safe; sharing one for reading only is safe.
class context {
 public:
  context() = default;
  /// Takes over the entries of an object.
  explicit context(object entries) : entries_(std::move(entries)) {}
  /// `context{{"user", "ada"}, {"roles", {"admin"}}}`.
  context(std::initializer_list<std::pair<boost::json::string_view, boost::json::value_ref>> init)
      : entries_(init) {}

  /// All entries. Changing one through them loses the exact text that it came with.
  const object& entries() const noexcept { return entries_; }
  object& entries() noexcept { return entries_; }
  /// True without entries.
  bool empty() const noexcept { return entries_.empty(); }
  /// The entry, or null when absent.
  const value* find(std::string_view key) const noexcept {
    return entries_.if_contains({key.data(), key.size()});
  }
  /// Sets an entry, in place of one that is there.
  void set(std::string_view key, value v);
  /// Sets an entry from JSON text, for integers beyond 64 bits: `ctxt.set("n", raw_json{digits})`.
  /// Throws `messaging_error` (`errc::malformed_message`) unless it is exactly one JSON value.
  void set(std::string_view key, const raw_json& text);
  /// The text of an entry that `value` cannot hold; null for all others, and once it was changed.
  const std::string* exact_text(std::string_view key) const;

  bool operator==(const context&) const = default;

 private:
  struct exact {
    std::string text;
    std::string as_value;  ///< what the entry looked like when it was set
    bool operator==(const exact&) const = default;
  };

  object entries_;
  std::map<std::string, exact, std::less<>> exact_;
};

/// Appends the context as it travels, as one JSON object.
void write_json(std::string& out, const context& c);

}  // namespace oslo::messaging

#pragma GCC visibility pop
