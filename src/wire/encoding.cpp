#include "wire/encoding.hpp"

#include <cstdint>

namespace oslo::messaging::wire {
namespace {

constexpr std::size_t longest_name = 32;
constexpr std::uint32_t mark = 0xFEFF;

/// "UTF-16_LE" is "utf16le"; what stands between letters and digits makes no difference.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name.substr(0, longest_name)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) plain += c;
    if (c >= 'A' && c <= 'Z') plain += static_cast<char>(c - 'A' + 'a');
  }
  return plain;
}

/// Surrogates and what is beyond Unicode have no UTF-8.
bool append(std::string& to, std::uint32_t c) {
  const auto tail = [&](int shift) { to += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) {
    to += static_cast<char>(c);
  } else if (c < 0x800) {
    to += static_cast<char>(0xC0 | (c >> 6));
    tail(0);
  } else if (c < 0x10000) {
    if (c >= 0xD800 && c < 0xE000) return false;
    to += static_cast<char>(0xE0 | (c >> 12));
    tail(6);
    tail(0);
  } else if (c < 0x110000) {
    to += static_cast<char>(0xF0 | (c >> 18));
    tail(12);
    tail(6);
    tail(0);
  } else {
    return false;
  }
  return true;
}

/// Units of two or four bytes.
class units {
 public:
  units(std::string_view body, std::size_t size, bool big) : body_(body), size_(size), big_(big) {}

  bool at_end() const noexcept { return body_.empty(); }
  std::uint32_t next() {
    std::uint32_t unit = 0;
    for (std::size_t i = 0; i < size_; ++i)
      unit = unit << 8 | static_cast<unsigned char>(body_[big_ ? i : size_ - 1 - i]);
    body_.remove_prefix(size_);
    return unit;
  }
  /// A mark says which order is meant, where the name does not.
  void obey_mark() {
    for (const bool big : {false, true}) {
      units trial(body_, size_, big);
      if (trial.at_end() || trial.next() != mark) continue;
      *this = trial;
      return;
    }
  }

 private:
  std::string_view body_;
  std::size_t size_;
  bool big_;
};

std::optional<std::string> from_units(units in, bool pairs) {
  std::string text;
  while (!in.at_end()) {
    auto c = in.next();
    if (pairs && c >= 0xD800 && c < 0xDC00 && !in.at_end()) {
      const auto low = in.next();
      if (low < 0xDC00 || low >= 0xE000) return std::nullopt;
      c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    if (!append(text, c)) return std::nullopt;
  }
  return text;
}

}  // namespace

std::optional<std::string> to_utf8(std::string_view encoding, std::string_view body) {
  if (encoding == "utf-8" || encoding.empty() || body.empty()) return std::nullopt;
  const auto name = plain_name(encoding);
  if (name == "latin1" || name == "iso88591" || name == "latin" || name == "l1" ||
      name == "cp819") {
    std::string text;
    text.reserve(body.size());
    for (const char c : body) append(text, static_cast<unsigned char>(c));
    return text;
  }
  if (name == "utf8sig" && body.starts_with("\xEF\xBB\xBF")) return std::string(body.substr(3));
  const std::size_t size = name.starts_with("utf16") ? 2 : name.starts_with("utf32") ? 4 : 0;
  if (size == 0 || body.size() % size != 0) return std::nullopt;
  const auto order = std::string_view(name).substr(5);
  if (!order.empty() && order != "le" && order != "be") return std::nullopt;
  units in(body, size, order == "be");
  if (order.empty()) in.obey_mark();
  return from_units(in, size == 2);
}

}  // namespace oslo::messaging::wire
