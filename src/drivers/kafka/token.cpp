#include "drivers/kafka/token.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <oslo/messaging/json.hpp>
#include <system_error>

#include "core/utf8.hpp"

namespace oslo::messaging::kafka {
namespace {

constexpr std::uintmax_t largest_file = 64 * 1024;
constexpr double latest_second = 253'402'300'799;  // of the year 9999

std::optional<unsigned> bits_of(char c) noexcept {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const auto at = digits.find(c);
  if (at == digits.npos) return std::nullopt;
  return static_cast<unsigned>(at);
}

/// As tokens have it: the alphabet for URLs, without padding.
std::optional<std::string> decode_base64url(std::string_view text) {
  std::string out;
  unsigned held = 0;
  int bits = 0;
  for (const char c : text) {
    const auto more = bits_of(c);
    if (!more) return std::nullopt;
    held = (held << 6 | *more) & 0xffffu;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(held >> bits & 0xffu);
  }
  return out;
}

failure not_a_token(std::string_view why) {
  return {errc::invalid_config, "It is no JSON Web Token: " + std::string(why)};
}

}  // namespace

result<oauth_token> parse_token(std::string_view text) {
  const auto first = text.find('.');
  const auto second = text.find('.', first == text.npos ? first : first + 1);
  if (second == text.npos) return not_a_token("it has less than three parts");
  const auto payload = decode_base64url(text.substr(first + 1, second - first - 1));
  if (!payload) return not_a_token("its second part is not base64url");
  oauth_token token{std::string(text), {}, 0};
  try {
    const auto claims = parse_json(*payload);
    const auto* const object = claims.if_object();
    if (object == nullptr) return not_a_token("its second part is no object");
    if (const auto* const sub = object->if_contains("sub"); sub != nullptr && sub->is_string())
      token.principal = std::string(sub->as_string());
    const auto* const exp = object->if_contains("exp");
    if (exp == nullptr || !exp->is_number()) return not_a_token("it has no claim \"exp\"");
    const auto seconds = exp->to_number<double>();
    if (!(seconds > 0 && seconds <= latest_second))
      return not_a_token("its claim \"exp\" is no time");
    token.expires = std::llround(seconds * 1000);
  } catch (const messaging_error&) {
    return not_a_token("its second part is not JSON");
  }
  return token;
}

result<oauth_token> read_token(const std::string& file) {
  std::error_code ec;
  if (!std::filesystem::is_regular_file(file, ec))
    return failure(errc::invalid_config, "It is no file that can be read.");
  if (std::filesystem::file_size(file, ec) > largest_file || ec)
    return failure(errc::invalid_config, "It is larger than 64 KiB.");
  std::ifstream in(file, std::ios::binary);
  std::string text(largest_file, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  constexpr const char* blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == text.npos) return failure(errc::invalid_config, "It is empty, or cannot be read.");
  return parse_token(
      std::string_view(text).substr(first, text.find_last_not_of(blanks) + 1 - first));
}

void give_token(rd_kafka_t* client, const std::string& file) {
  std::string why = "there is no option cpp_oauthbearer_token_file";
  if (!file.empty()) {
    const auto token = read_token(file);
    char refused[256] = "";
    if (token && rd_kafka_oauthbearer_set_token(client, token->text.c_str(), token->expires,
                                                token->principal.c_str(), nullptr, 0, refused,
                                                sizeof refused) == RD_KAFKA_RESP_ERR_NO_ERROR)
      return;
    why = file + ": " + (token ? to_valid_utf8(refused) : token.error().message());
  }
  rd_kafka_oauthbearer_set_token_failure(client, why.c_str());
}

}  // namespace oslo::messaging::kafka
