#ifdef OSLO_HAS_RE2
#include <re2/re2.h>
#endif

#include <oslo/messaging/error.hpp>
#include <oslo/messaging/json.hpp>
#include <oslo/messaging/notify/filter.hpp>
#include <utility>
#include <vector>

namespace oslo::messaging::notify {
namespace {

#ifdef OSLO_HAS_RE2

class expression {
 public:
  expression(const std::string& place, const std::string& pattern)
      : re_(pattern, RE2::Options(RE2::Quiet)) {
    if (!re_.ok())
      throw configuration_error(
          {errc::invalid_argument,
           "The filter of " + place + " is no regular expression: " + re_.error() + "."});
  }
  bool matches(std::string_view text) const {
    return re_.Match(re2::StringPiece(text.data(), text.size()), 0, text.size(), RE2::ANCHOR_START,
                     nullptr, 0);
  }
  bool matches(const std::optional<std::string>& text) const {
    return text && matches(std::string_view(*text));
  }
  bool matches(const value* v) const {
    return v != nullptr && v->is_string() &&
           matches(std::string_view(v->get_string().data(), v->get_string().size()));
  }

 private:
  RE2 re_;
};

#else

class expression {
 public:
  [[noreturn]] expression(const std::string& place, const std::string&) {
    throw configuration_error(
        {errc::not_supported,
         "The filter of " + place + " cannot be used: this library was built without RE2."});
  }
  template <class T>
  bool matches(const T&) const {
    return false;
  }
};

#endif

/// By key, and in one piece: RE2 objects cannot move.
using keyed = std::vector<std::pair<std::string, std::unique_ptr<const expression>>>;

keyed compile(const std::string& what, const std::map<std::string, std::string>& rules) {
  keyed out;
  for (const auto& [key, pattern] : rules)
    out.emplace_back(key, std::make_unique<expression>(what + " key " + key, pattern));
  return out;
}

std::unique_ptr<const expression> compile(const std::string& what,
                                          const std::optional<std::string>& rule) {
  return rule ? std::make_unique<expression>(what, *rule) : nullptr;
}

bool object_matches(const keyed& rules, const object& o) {
  for (const auto& [key, e] : rules)
    if (!e->matches(o.if_contains(key))) return false;
  return true;
}

}  // namespace

class filter::impl {
 public:
  explicit impl(const filter_rules& r)
      : context_(compile("context", r.context)),
        publisher_id_(compile("publisher_id", r.publisher_id)),
        event_type_(compile("event_type", r.event_type)),
        metadata_(compile("metadata", r.metadata)),
        payload_(compile("payload", r.payload)) {}

  bool matches(const notification& n) const {
    if (event_type_ && !event_type_->matches(n.event_type)) return false;
    if (publisher_id_ && !publisher_id_->matches(n.publisher_id)) return false;
    if (!object_matches(context_, n.ctxt.entries())) return false;
    for (const auto& [key, e] : metadata_) {
      const bool fits = key == "message_id"  ? e->matches(n.message_id)
                        : key == "timestamp" ? e->matches(n.timestamp)
                                             : false;
      if (!fits) return false;
    }
    if (payload_.empty()) return true;
    const value payload = parse_json(n.payload_json);
    return payload.is_object() && object_matches(payload_, payload.get_object());
  }

 private:
  keyed context_;
  std::unique_ptr<const expression> publisher_id_, event_type_;
  keyed metadata_, payload_;
};

filter::filter(const filter_rules& rules) : impl_(std::make_shared<impl>(rules)) {}

bool filter::matches(const notification& n) const {
  return !impl_ || impl_->matches(n);
}

}  // namespace oslo::messaging::notify
