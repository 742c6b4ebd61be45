#include "notify/routing/glob.hpp"

#include <algorithm>

#include "core/utf8.hpp"

namespace oslo::messaging::notify {
namespace {

/// A byte that is not UTF-8 is a character of its own, as Python's surrogateescape has it.
std::u32string code_points(std::string_view text) {
  std::u32string out;
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p != end;) {
    const unsigned length = utf8_length(p, end);
    out += length != 0 ? utf8_character(p, length)
                       : static_cast<char32_t>(0xdc00 + static_cast<unsigned char>(*p));
    p += length != 0 ? length : 1;
  }
  return out;
}

}  // namespace

glob::glob(std::string_view pattern) {
  const auto p = code_points(pattern);
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] == U'*') {
      if (pieces_.empty() || pieces_.back().what != piece::kind::star)
        pieces_.push_back({piece::kind::star});
    } else if (p[i] == U'?') {
      pieces_.push_back({piece::kind::any});
    } else if (p[i] == U'[') {
      std::size_t end = i + 1;
      if (end < p.size() && p[end] == U'!') ++end;
      if (end < p.size() && p[end] == U']') ++end;  // the first one belongs to the set
      end = p.find(U']', end);
      if (end == p.npos) {
        pieces_.push_back({piece::kind::character, U'['});
      } else {
        pieces_.push_back(set_of(std::u32string_view(p).substr(i + 1, end - i - 1)));
        i = end;
      }
    } else {
      pieces_.push_back({piece::kind::character, p[i]});
    }
  }
}

glob::piece glob::set_of(std::u32string_view inside) {
  piece out{piece::kind::set};
  if (inside.front() == U'!') {
    out.what = piece::kind::anything_but;
    inside.remove_prefix(1);
  }
  for (std::size_t i = 0; i < inside.size();) {
    // A hyphen makes a range when it stands between two characters.
    if (i + 2 < inside.size() && inside[i + 1] == U'-') {
      if (inside[i] <= inside[i + 2]) out.ranges.emplace_back(inside[i], inside[i + 2]);
      i += 3;
    } else {
      out.ranges.emplace_back(inside[i], inside[i]);
      ++i;
    }
  }
  return out;
}

bool glob::piece::takes(char32_t c) const noexcept {
  const auto in_set = [&] {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const auto& r) { return r.first <= c && c <= r.second; });
  };
  switch (what) {
    case kind::character: return c == character;
    case kind::set: return in_set();
    case kind::anything_but: return !in_set();
    case kind::any:
    case kind::star: break;
  }
  return true;
}

bool glob::matches(std::string_view text) const {
  const auto t = code_points(text);
  // On a mismatch the last star takes one character more; earlier ones never have to.
  std::size_t p = 0, i = 0, star = pieces_.size(), star_end = 0;
  while (i < t.size()) {
    if (p < pieces_.size() && pieces_[p].what == piece::kind::star) {
      star = p++;
      star_end = i;
    } else if (p < pieces_.size() && pieces_[p].takes(t[i])) {
      ++p;
      ++i;
    } else if (star != pieces_.size()) {
      p = star + 1;
      i = ++star_end;
    } else {
      return false;
    }
  }
  while (p < pieces_.size() && pieces_[p].what == piece::kind::star) ++p;
  return p == pieces_.size();
}

}  // namespace oslo::messaging::notify
