// Shell patterns as Python's fnmatch reads them.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oslo::messaging::notify {

/// `*` any text, `?` any character, `[seq]` and `[!seq]` one of a set with ranges; everything else
/// stands for itself, case included. A character is a code point. A `[` that is never closed is one
/// character, and a range that runs backwards is empty.
///
/// Matching takes at most pattern times text; nothing recurses.
class glob {
 public:
  explicit glob(std::string_view pattern);
  bool matches(std::string_view text) const;

 private:
  struct piece {
    enum class kind { character, any, star, set, anything_but } what = kind::character;
    char32_t character = 0;
    std::vector<std::pair<char32_t, char32_t>> ranges{};  ///< both ends included

    bool takes(char32_t c) const noexcept;
  };
  static piece set_of(std::u32string_view inside);

  std::vector<piece> pieces_;
};

}  // namespace oslo::messaging::notify
