#include "wire/request.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <oslo/messaging/json.hpp>

#include "core/json/json_text.hpp"
#include "wire/envelope.hpp"
#include "wire/python_truth.hpp"

namespace oslo::messaging::wire {
namespace {

using kind = json_reader::kind;

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

/// What follows an inner object that was opened.
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
  /// As Python writes its number: an integer, or a fraction.
  void add_timeout(std::optional<std::chrono::milliseconds> limit) {
    using std::chrono::seconds;
    if (!limit)
      add("_timeout", nullptr);
    else if (const auto whole = std::chrono::duration_cast<seconds>(*limit); whole == *limit)
      add("_timeout", whole.count());
    else
      add("_timeout", std::chrono::duration<double>(*limit).count());
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
      to_.msg_id_is_text = r_.peek() == kind::string;
      to_.msg_id = to_.msg_id_is_text ? text_or_none(key) : json_or_none();
    } else if (key == "_reply_q") {
      to_.reply_q = text_or_none(key);
    } else if (key == "_unique_id") {
      to_.unique_id = r_.peek() == kind::string || r_.peek() == kind::null ? text_or_none(key)
                                                                           : r_.skip_value();
    } else if (key == "_timeout") {
      to_.client_timeout = seconds();
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

  /// Nothing for what is false in Python.
  std::string_view json_or_none() {
    json_reader probe = r_;
    const bool there = is_true(probe);
    const auto json = r_.skip_value();
    return there ? json : std::string_view();
  }

  /// As `int(value)` reads it, and nothing where that fails.
  std::optional<double> seconds() {
    double v = 0;
    if (const kind k = r_.peek(); k == kind::number) {
      v = r_.read_double();
    } else if (k == kind::boolean) {
      v = r_.read_bool() ? 1 : 0;
    } else if (k == kind::string) {
      v = whole_number(r_.read_string_view(scratch_));
    } else {
      r_.skip_value();
    }
    if (!std::isfinite(v) || v <= 0) return std::nullopt;
    return v;
  }

  /// 0 for what is none.
  static double whole_number(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n\f\v");
    if (first == text.npos) return 0;
    text = text.substr(first, text.find_last_not_of(" \t\r\n\f\v") + 1 - first);
    if (text.starts_with('+')) text.remove_prefix(1);
    double v = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool between = text[i] == '_' && i > 0 && i + 1 < text.size() && text[i - 1] != '_';
      if (between) continue;
      if (text[i] < '0' || text[i] > '9') return 0;
      v = 10 * v + (text[i] - '0');
    }
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

/// The inner message in two pieces.
class inner_message {
 public:
  inner_message(std::string_view inner, const context& ctxt, const request_keys& keys)
      : head_(open_object(inner, empty_)), tail_(empty_) {
    if (!keys.msg_id.empty()) {
      tail_.add("_msg_id", keys.msg_id);
      tail_.add("_reply_q", keys.reply_q);
      tail_.add_timeout(keys.timeout);
    }
    tail_.add("_unique_id", keys.unique_id);
    tail_.add_context(ctxt);
    end_ = tail_.finish();
  }
  std::string_view head() const noexcept { return head_; }
  std::string_view tail() const noexcept { return end_; }

 private:
  bool empty_ = false;
  std::string_view head_;
  key_writer tail_;
  std::string_view end_;
};

}  // namespace

void write_inner(std::string& out, std::string_view inner, const context& ctxt,
                 const request_keys& keys) {
  const inner_message m(inner, ctxt, keys);
  out += m.head();
  out += m.tail();
}

void write_request(std::string& out, std::string_view inner, const context& ctxt,
                   const request_keys& keys) {
  const inner_message m(inner, ctxt, keys);
  write_envelope(out, {m.head(), m.tail()});
}

void write_notification(std::string& out, std::string_view inner, const context& ctxt,
                        std::string_view unique_id, notification_format f) {
  if (f == notification_format::envelope)
    write_request(out, inner, ctxt, {.unique_id = unique_id});
  else
    write_inner(out, inner, ctxt, {.unique_id = unique_id});
}

void set_entry(context& out, const message_field& entry) {
  json_reader r(entry.json);
  auto digits = json_reader::digits::kept;
  value v = r.read_value(digits);
  if (digits == json_reader::digits::lost)
    out.set(entry.key, raw_json{std::string(entry.json)});
  else
    out.set(entry.key, std::move(v));
}

context merged(const std::vector<message_field>& entries, const context& beside) {
  context all;
  for (const auto& entry : entries) set_entry(all, entry);
  for (const auto& entry : beside.entries()) {
    const std::string_view key(entry.key().data(), entry.key().size());
    if (const auto* const exact = beside.exact_text(key))
      all.set(key, raw_json{*exact});
    else
      all.set(key, entry.value());
  }
  return all;
}

context incoming_request::make_context() const {
  context out;
  out.entries().reserve(context_fields.size());
  for (const auto& field : context_fields) set_entry(out, field);
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
