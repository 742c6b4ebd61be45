#include "notify/sources/masking.hpp"

#include <algorithm>
#include <array>

#include "core/text.hpp"

namespace oslo::messaging::notify {
namespace {

// As oslo.utils has them: a key is secret when it contains one of these, whatever its case.
constexpr std::array<std::string_view, 14> words{
    "password",    "passphrase", "adminpass", "admin_pass", "new_pass",  "auth_token", "secret",
    "private_key", "credential", "token",     "sys_pswd",   "ipmi_pass", "fernet_key", "otp"};
constexpr std::string_view mask = "***";

bool is_word(char c) noexcept {
  return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || c == '_' ||
         c == '-';
}

bool ends_value(char c) noexcept {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ';' || c == '&' ||
         c == '}' || c == ']' || c == ')' || c == '<' || c == '"' || c == '\'';
}

}  // namespace

bool names_a_secret(std::string_view key) {
  const std::string name = ascii_lower(key);
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view w) { return name.find(w) != name.npos; });
}

std::string masked_text(std::string_view text) {
  std::string out;
  std::size_t i = 0;
  while (i < text.size()) {
    if (!is_word(text[i])) {
      out += text[i++];
      continue;
    }
    const std::size_t name = i;
    while (i < text.size() && is_word(text[i])) ++i;
    out += text.substr(name, i - name);
    if (!names_a_secret(text.substr(name, i - name))) continue;
    // name, perhaps a quote, blanks, '=' or ':', blanks, perhaps a quote, the secret
    std::size_t at = i;
    if (at < text.size() && (text[at] == '"' || text[at] == '\'')) ++at;
    while (at < text.size() && text[at] == ' ') ++at;
    if (at == text.size() || (text[at] != '=' && text[at] != ':')) continue;
    ++at;
    while (at < text.size() && text[at] == ' ') ++at;
    const char quote = at < text.size() && (text[at] == '"' || text[at] == '\'') ? text[at] : '\0';
    if (quote != '\0') ++at;
    std::size_t end = at;
    while (end < text.size() && (quote != '\0' ? text[end] != quote : !ends_value(text[end])))
      ++end;
    if (end == at) continue;
    out += text.substr(i, at - i);
    out += mask;
    i = end;
  }
  return out;
}

value masked(const value& v) {
  if (v.is_string()) {
    const auto& s = v.get_string();
    return value(masked_text({s.data(), s.size()}));
  }
  if (v.is_array()) {
    array out;
    for (const auto& item : v.get_array()) out.push_back(masked(item));
    return out;
  }
  if (!v.is_object()) return v;
  object out;
  for (const auto& entry : v.get_object()) {
    // What is nested may hold harmless things beside the secret; only a plain value is one itself.
    const bool secret = names_a_secret({entry.key().data(), entry.key().size()}) &&
                        !entry.value().is_object() && !entry.value().is_array();
    if (secret)
      out.emplace(entry.key(), boost::json::string_view(mask.data(), mask.size()));
    else
      out.emplace(entry.key(), masked(entry.value()));
  }
  return out;
}

}  // namespace oslo::messaging::notify
