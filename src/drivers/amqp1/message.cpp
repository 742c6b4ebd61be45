#include "drivers/amqp1/message.hpp"

#include <limits>
#include <utility>

namespace oslo::messaging::amqp1 {
namespace {

// Constructors of the encodings that are written here, and those that have to be told apart.
enum code : unsigned char {
  described = 0x00,
  null = 0x40,
  true_value = 0x41,
  false_value = 0x42,
  uint0 = 0x43,
  ulong0 = 0x44,
  list0 = 0x45,
  ubyte1 = 0x50,
  small_uint = 0x52,
  small_ulong = 0x53,
  small_long = 0x55,
  uint4 = 0x70,
  ulong8 = 0x80,
  long8 = 0x81,
  binary8 = 0xa0,
  string8 = 0xa1,
  symbol8 = 0xa3,
  binary32 = 0xb0,
  string32 = 0xb1,
  symbol32 = 0xb3,
  list8 = 0xc0,
  map8 = 0xc1,
  list32 = 0xd0,
  map32 = 0xd1,
};

enum class section : std::uint64_t {
  header = 0x70,
  properties = 0x73,
  application_properties = 0x74,
  data = 0x75,
  value = 0x77,
};

// ---- writing ------------------------------------------------------------------------------------

void put(std::string& out, unsigned char byte) {
  out += static_cast<char>(byte);
}

void put_be(std::string& out, std::uint64_t v, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    put(out, static_cast<unsigned char>(v >> shift));
}

void put_sized(std::string& out, unsigned char small, unsigned char large, std::string_view bytes) {
  if (bytes.size() > std::numeric_limits<std::uint32_t>::max())
    throw_failure({errc::limit_exceeded, "A text of AMQP has at most 4 GiB."});
  if (bytes.size() <= 255) {
    put(out, small);
    put(out, static_cast<unsigned char>(bytes.size()));
  } else {
    put(out, large);
    put_be(out, bytes.size(), 4);
  }
  out += bytes;
}

void put_string(std::string& out, std::string_view text) {
  put_sized(out, string8, string32, text);
}

void put_string_or_null(std::string& out, std::string_view text) {
  if (text.empty())
    put(out, null);
  else
    put_string(out, text);
}

void put_long(std::string& out, std::int64_t v) {
  put(out, long8);
  put_be(out, static_cast<std::uint64_t>(v), 8);
}

void begin_section(std::string& out, section s) {
  put(out, described);
  put(out, small_ulong);
  put(out, static_cast<unsigned char>(s));
}

/// A list or map whose size is filled in at the end.
class compound {
 public:
  compound(std::string& out, unsigned char constructor, std::uint32_t count) : out_(out) {
    put(out, constructor);
    begin_ = out.size();
    put_be(out, 0, 4);
    put_be(out, count, 4);
  }
  ~compound() {
    const auto size = out_.size() - begin_ - 4;
    for (std::size_t i = 0; i < 4; ++i)
      out_[begin_ + i] = static_cast<char>(static_cast<unsigned char>(size >> (24 - 8 * i)));
  }
  compound(const compound&) = delete;
  compound& operator=(const compound&) = delete;

 private:
  std::string& out_;
  std::size_t begin_;
};

void write_properties(std::string& out, const message_head& head) {
  const bool correlated = !head.correlation_id.empty();
  if (head.message_id.empty() && head.to.empty() && head.reply_to.empty() && !correlated) return;
  begin_section(out, section::properties);
  const compound list(out, list32, correlated ? 6 : 5);
  put_string_or_null(out, head.message_id);
  put(out, null);  // user-id
  put_string_or_null(out, head.to);
  put(out, null);  // subject
  put_string_or_null(out, head.reply_to);
  if (correlated) out += head.correlation_id;
}

void write_application_properties(std::string& out, const message_head& head) {
  const bool timed = head.time.limit_ms.has_value();
  const auto count = head.headers.size() + (timed ? 3 : 0);
  if (count == 0) return;
  begin_section(out, section::application_properties);
  const compound map(out, map32, static_cast<std::uint32_t>(2 * count));
  for (const auto& h : head.headers) {
    put_string(out, h.name);
    put_string(out, h.value);
  }
  if (!timed) return;
  put_string(out, wire::limit_header);
  put_long(out, *head.time.limit_ms);
  put_string(out, wire::sent_header);
  put_long(out, head.time.sent_ms.value_or(0));
  put_string(out, wire::sender_header);
  put_long(out, head.time.sender.value_or(0));
}

// ---- reading ------------------------------------------------------------------------------------

[[noreturn]] void damaged(const char* what) {
  throw_failure({errc::malformed_message, std::string("It is no message of AMQP 1.0: ") + what});
}

/// One value where it stands: its constructor and the bytes that follow.
struct item {
  unsigned char type = null;
  std::string_view bytes{};    ///< without constructor and size; of a compound, with its count
  std::string_view encoded{};  ///< all of it
  std::uint64_t descriptor = 0;

  bool is_null() const noexcept { return type == null; }
  bool is_text() const noexcept { return type == string8 || type == string32; }
  bool is_symbol() const noexcept { return type == symbol8 || type == symbol32; }
  bool is_binary() const noexcept { return type == binary8 || type == binary32; }
  bool is_list() const noexcept { return type == list0 || type == list8 || type == list32; }
  bool is_map() const noexcept { return type == map8 || type == map32; }

  std::uint64_t number() const noexcept {
    std::uint64_t n = 0;
    for (const char c : bytes) n = n << 8 | static_cast<unsigned char>(c);
    return n;
  }
  std::optional<std::uint32_t> as_uint() const noexcept {
    if (type != uint0 && type != small_uint && type != uint4) return std::nullopt;
    return static_cast<std::uint32_t>(number());
  }
  std::optional<std::int64_t> as_long() const noexcept {
    if (type == long8) return static_cast<std::int64_t>(number());
    if (type == small_long) return static_cast<std::int8_t>(number());
    return std::nullopt;
  }
};

class reader {
 public:
  explicit reader(std::string_view text) noexcept : rest_(text) {}

  bool at_end() const noexcept { return rest_.empty(); }

  /// The next value; a described one with its descriptor, which has to be a number.
  item next(unsigned depth = 0) {
    const auto before = rest_;
    item i;
    const auto type = byte();
    if (type == described) {
      if (depth >= most_depth) damaged("it is nested too deeply");
      const auto d = next(depth + 1);
      i = next(depth + 1);
      if (d.type == small_ulong || d.type == ulong8 || d.type == ulong0) i.descriptor = d.number();
    } else {
      i.type = type;
      i.bytes = take(size_of(type));
    }
    i.encoded = before.substr(0, before.size() - rest_.size());
    return i;
  }

  /// The next value as a section of a message.
  item next_section() {
    if (rest_.front() != described) damaged("a section is not described");
    return next();
  }

 private:
  unsigned char byte() { return static_cast<unsigned char>(take(1).front()); }
  std::string_view take(std::size_t n) {
    if (n > rest_.size()) damaged("it is cut short");
    const auto taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  std::size_t number(std::size_t bytes) {
    std::size_t n = 0;
    for (const char c : take(bytes)) n = n << 8 | static_cast<unsigned char>(c);
    return n;
  }
  /// The upper half of a constructor says how long what follows is.
  std::size_t size_of(unsigned char type) {
    switch (type >> 4) {
      case 0x4: return 0;
      case 0x5: return 1;
      case 0x6: return 2;
      case 0x7: return 4;
      case 0x8: return 8;
      case 0x9: return 16;
      case 0xa:
      case 0xc:
      case 0xe: return number(1);
      case 0xb:
      case 0xd:
      case 0xf: return number(4);
      default: damaged("a value has an unknown encoding");
    }
  }

  std::string_view rest_;
};

/// The values of a list or map, one after the other.
class members {
 public:
  explicit members(const item& of) : in_({}) {
    if (of.type == list0) return;
    const std::size_t width = of.type == list8 || of.type == map8 ? 1 : 4;
    if (of.bytes.size() < width) damaged("a list has no length");
    for (const char c : of.bytes.substr(0, width))
      left_ = left_ << 8 | static_cast<unsigned char>(c);
    in_ = reader(of.bytes.substr(width));
  }
  /// Null once there is none left: fields at the end may be missing.
  item next() {
    if (left_ == 0) return {};
    --left_;
    return in_.next();
  }
  std::size_t left() const noexcept { return left_; }

 private:
  reader in_;
  std::size_t left_ = 0;
};

std::string_view text_of(const item& i) {
  return i.is_text() || i.is_symbol() ? i.bytes : std::string_view();
}

void read_header(const item& list, incoming_sections& out) {
  members m(list);
  m.next();  // durable
  m.next();  // priority
  out.ttl_ms = m.next().as_uint();
  m.next();  // first-acquirer
  out.delivery_count = m.next().as_uint().value_or(0);
}

void read_properties(const item& list, incoming_sections& out) {
  members m(list);
  const auto id = m.next();
  if (!id.is_null()) out.message_id = id.encoded;
  out.message_id_text = text_of(id);
  m.next();  // user-id
  m.next();  // to
  m.next();  // subject
  out.reply_to = text_of(m.next());
  out.correlation_id = text_of(m.next());
}

void read_application_properties(const item& map, incoming_sections& out) {
  members m(map);
  if (m.left() > most_values) damaged("it has too many properties");
  while (m.left() >= 2) {
    const auto key = text_of(m.next());
    const auto v = m.next();
    if (key == wire::limit_header)
      out.time.limit_ms = v.as_long();
    else if (key == wire::sent_header)
      out.time.sent_ms = v.as_long();
    else if (key == wire::sender_header)
      out.time.sender = v.as_long();
    else if (v.is_text() && !key.empty())
      out.headers.push_back({std::string(key), std::string(v.bytes)});
  }
}

void read_body(const item& i, bool first, incoming_sections& out) {
  using kind = incoming_sections::body_kind;
  if (!first)
    out.kind = kind::other;
  else if (i.is_null())
    out.kind = kind::null;
  else if (i.is_text() || i.is_binary())
    out.kind = kind::text;
  else
    out.kind = kind::other;
  out.body = out.kind == kind::text ? i.bytes : std::string_view();
}

}  // namespace

void write_message(std::string& out, const message_head& head,
                   std::optional<std::string_view> body) {
  out.reserve(out.size() + 192 + (body ? body->size() : 0));
  if (head.ttl_ms) {
    begin_section(out, section::header);
    const compound list(out, list32, 3);
    put(out, false_value);  // durable
    put(out, null);         // priority
    put(out, uint4);
    put_be(out, *head.ttl_ms, 4);
  }
  write_properties(out, head);
  write_application_properties(out, head);
  begin_section(out, section::value);
  if (body)
    put_string(out, *body);
  else
    put(out, null);
}

std::string encoded_text(std::string_view text) {
  std::string out;
  put_string(out, text);
  return out;
}

result<incoming_sections> read_message(std::string_view bytes) {
  try {
    incoming_sections out;
    bool first_body = true;
    for (reader in(bytes); !in.at_end();) {
      const auto s = in.next_section();
      switch (static_cast<section>(s.descriptor)) {
        case section::header:
          if (s.is_list()) read_header(s, out);
          break;
        case section::properties:
          if (s.is_list()) read_properties(s, out);
          break;
        case section::application_properties:
          if (s.is_map()) read_application_properties(s, out);
          break;
        case section::data:
        case section::value: read_body(s, std::exchange(first_body, false), out); break;
        default:
          if (s.descriptor == 0x76) out.kind = incoming_sections::body_kind::other;
          break;  // annotations and the footer are for those on the way
      }
    }
    return out;
  } catch (const messaging_error& e) {
    return e.failure();
  }
}

}  // namespace oslo::messaging::amqp1
