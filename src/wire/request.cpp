#include "wire/request.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <oslo/messaging/json.hpp>

#include "core/json/json_text.hpp"
#include "wire/envelope.hpp"

namespace oslo::messaging::wire {
namespace {

using kind = json_reader::kind;

constexpr std::string_view context_prefix = "_context_";
constexpr std::string_view blanks = " \t\r\n";

// ---- writing ------------------------------------------------------------------------------------

/// An object without its closing brace, so that keys can follow.
std::string_view open_object(std::string_view inner, bool& empty) {
  const auto first = inner.find_first_not_of(blanks);
  const auto last = inner.find_last_not_of(blanks);
  if (first == inner.npos || first == last || inner[first] != '{' || inner[last] != '}')
    throw messaging_error(
        {errc::serialization_failed, "The message to be sent is not a JSON object"});
  inner = inner.substr(first, last - first);
  empty = inner.find_last_not_of(blanks) == 0;
  return inner;
}

class key_writer {
 public:
  explicit key_writer(bool first) : first_(first) { text_.reserve(256); }

  template <class T>
  void add(std::string_view key, const T& v) {
    begin();
    text_ += key;
    text_ += "\": ";
    write_json(text_, v);
  }
  void add_context(const context& ctxt) {
    for (const auto& entry : ctxt.entries()) {
      begin();
      text_ += context_prefix;
      json_text::escape(text_, {entry.key().data(), entry.key().size()});
      text_ += "\": ";
      if (const auto* const exact = ctxt.exact_text({entry.key().data(), entry.key().size()}))
        text_ += *exact;
      else
        write_json(text_, entry.value());
    }
  }
  std::string_view finish() {
    text_ += '}';
    return text_;
  }

 private:
  void begin() {
    text_ += first_ ? "\"" : ", \"";
    first_ = false;
  }

  std::string text_;
  bool first_;
};

// ---- reading ------------------------------------------------------------------------------------

const char* kind_name(kind k) {
  switch (k) {
    case kind::null: return "null";
    case kind::boolean: return "bool";
    case kind::number: return "number";
    case kind::string: return "string";
    case kind::array: return "array";
    case kind::object: return "object";
    case kind::end: break;
  }
  return "nothing";
}

[[noreturn]] void wrong_type(std::string_view key, std::string_view expected, kind got) {
  std::string text = "The key ";
  text += key;
  text += " of the message is not ";
  text += expected;
  text += " but ";
  text += kind_name(got);
  throw messaging_error({errc::malformed_message, std::move(text)});
}

class request_reader {
 public:
  explicit request_reader(incoming_request& to) : to_(to), r_(to.text) {}

  void read() {
    if (const kind k = r_.peek(); k != kind::object && k != kind::end)
      throw messaging_error({errc::malformed_message, "The message is not a JSON object"});
    to_.fields.reserve(8);
    r_.begin_object();
    std::string_view key;
    while (r_.next_key(key, scratch_)) take(keep(key));
    r_.finish();
    drop_duplicates(to_.fields);
  }

 private:
  /// A view that lives as long as the request.
  std::string_view keep(std::string_view text) {
    return text.data() == scratch_.data() ? to_.decoded.emplace_front(text) : text;
  }

  void take(std::string_view key) {
    if (key.empty() || key.front() != '_') {
      to_.fields.push_back({key, r_.skip_value()});
    } else if (key.starts_with(context_prefix)) {
      to_.context_fields.push_back({key.substr(context_prefix.size()), r_.skip_value()});
    } else if (key == "_msg_id") {
      to_.msg_id = text_or_none(key);
    } else if (key == "_reply_q") {
      to_.reply_q = text_or_none(key);
    } else if (key == "_unique_id") {
      to_.unique_id = r_.peek() == kind::string || r_.peek() == kind::null ? text_or_none(key)
                                                                           : r_.skip_value();
    } else if (key == "_timeout") {
      to_.client_timeout = seconds(key);
    } else {
      to_.fields.push_back({key, r_.skip_value()});
    }
  }

  std::string_view text_or_none(std::string_view key) {
    const kind k = r_.peek();
    if (k == kind::string) return keep(r_.read_string_view(scratch_));
    if (k != kind::null) wrong_type(key, "a string", k);
    r_.read_null();
    return {};
  }

  std::optional<double> seconds(std::string_view key) {
    const kind k = r_.peek();
    if (k == kind::null) {
      r_.read_null();
      return std::nullopt;
    }
    if (k == kind::boolean && !r_.read_bool()) return std::nullopt;
    if (k != kind::number) wrong_type(key, "a number", k);
    const double v = r_.read_double();
    if (!std::isfinite(v))
      throw messaging_error(
          {errc::malformed_message, "The key _timeout of the message is not a finite number"});
    if (v <= 0) return std::nullopt;
    return v;
  }

  /// Of equal keys only the last one stays. A peer may send very many keys.
  static void drop_duplicates(std::vector<message_field>& fields) {
    const auto by_key = [&](std::size_t a, std::size_t b) { return fields[a].key < fields[b].key; };
    std::vector<std::size_t> order;
    if (fields.size() <= 16) {
      bool unique = true;
      for (std::size_t i = 1; i < fields.size() && unique; ++i)
        for (std::size_t j = 0; j < i && unique; ++j) unique = fields[i].key != fields[j].key;
      if (unique) return;
    }
    order.resize(fields.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), by_key);
    std::vector<bool> superseded(fields.size());
    for (std::size_t i = 1; i < order.size(); ++i)
      if (fields[order[i - 1]].key == fields[order[i]].key) superseded[order[i - 1]] = true;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (!superseded[i]) fields[kept++] = fields[i];
    fields.resize(kept);
  }

  incoming_request& to_;
  json_reader r_;
  std::string scratch_;
};

}  // namespace

void write_request(std::string& out, std::string_view inner, const context& ctxt,
                   const request_keys& keys) {
  bool empty = false;
  const std::string_view head = open_object(inner, empty);
  key_writer tail(empty);
  if (!keys.msg_id.empty()) {
    tail.add("_msg_id", keys.msg_id);
    tail.add("_reply_q", keys.reply_q);
    if (keys.timeout)
      tail.add("_timeout", *keys.timeout);
    else
      tail.add("_timeout", nullptr);
  }
  tail.add("_unique_id", keys.unique_id);
  tail.add_context(ctxt);
  write_envelope(out, {head, tail.finish()});
}

void write_notification(std::string& out, std::string_view inner, const context& ctxt,
                        std::string_view unique_id, notification_format f) {
  if (f == notification_format::envelope) {
    write_request(out, inner, ctxt, {.unique_id = unique_id});
    return;
  }
  bool empty = false;
  const std::string_view head = open_object(inner, empty);
  key_writer tail(empty);
  tail.add("_unique_id", unique_id);
  tail.add_context(ctxt);
  out += head;
  out += tail.finish();
}

context incoming_request::make_context() const {
  context out;
  out.entries().reserve(context_fields.size());
  for (const auto& field : context_fields) {
    json_reader r(field.json);
    auto digits = json_reader::digits::kept;
    value v = r.read_value(digits);
    if (digits == json_reader::digits::lost)
      out.set(field.key, raw_json{std::string(field.json)});
    else
      out.set(field.key, std::move(v));
  }
  return out;
}

result<incoming_request> read_request(std::string_view body) {
  try {
    incoming_request request;
    request.text.reserve(std::max<std::size_t>(body.size(), 64));
    open_envelope(body, request.text);
    request_reader(request).read();
    return request;
  } catch (const messaging_error& e) {
    return e.failure();
  }
}

}  // namespace oslo::messaging::wire
