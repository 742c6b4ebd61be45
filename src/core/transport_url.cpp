#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <oslo/messaging/error.hpp>
#include <oslo/messaging/transport_url.hpp>

#include "core/percent.hpp"
#include "core/text.hpp"
#include "core/utf8.hpp"

namespace oslo::messaging {
namespace {

constexpr std::size_t max_length = 65'536;

bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_control(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// `shown` must not hold anything that stood after the scheme: where a URL is malformed, any part
/// of it may be a piece of a password.
[[noreturn]] void refuse(std::string_view shown, std::string_view why) {
  const std::string url = shown.empty() ? std::string() : std::string(shown) + "://***";
  std::string text = "Invalid transport URL";
  if (!url.empty()) text.append(" \"").append(url).append("\"");
  throw_failure(failure(errc::invalid_url, text.append(": ").append(why)).about({.url = url}));
}

void check_text(std::string_view text) {
  if (text.size() > max_length)
    refuse({}, "It has " + std::to_string(text.size()) + " bytes, more than the limit of " +
                   std::to_string(max_length) + ".");
  if (const auto it = std::find_if(text.begin(), text.end(), is_control); it != text.end())
    refuse({}, "It holds a control character at byte " + std::to_string(it - text.begin()) + ".");
  if (!is_utf8(text)) refuse({}, "It is not valid UTF-8.");
}

/// Removes "scheme:" from the front of `rest` and returns the scheme in lower case.
std::string take_scheme(std::string_view& rest) {
  const auto colon = rest.find(':');
  const bool found =
      colon != std::string_view::npos && colon > 0 && is_letter(rest[0]) &&
      std::all_of(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
      });
  if (!found) refuse({}, "No scheme specified. It must begin like \"rabbit://\", with a letter.");
  std::string scheme = ascii_lower(rest.substr(0, colon));
  rest.remove_prefix(colon + 1);
  return scheme;
}

/// An address, perhaps with a zone: "fe80::1%eth0".
bool is_ipv6(std::string_view text) {
  if (const auto percent = text.find('%'); percent != std::string_view::npos) {
    const auto zone = text.substr(percent + 1);
    const auto fits = [](char c) {
      return is_letter(c) || is_digit(c) || c == '.' || c == '_' || c == '-';
    };
    if (zone.empty() || !std::all_of(zone.begin(), zone.end(), fits)) return false;
    text = text.substr(0, percent);
  }
  in6_addr parsed;
  return inet_pton(AF_INET6, std::string(text).c_str(), &parsed) == 1;
}

/// Reads the hosts one after the other and says which one is wrong.
class host_list_reader {
 public:
  explicit host_list_reader(std::string_view scheme) : scheme_(scheme) {}

  std::vector<transport_host> read(std::string_view list) {
    std::vector<transport_host> hosts;
    while (!list.empty()) {
      const auto comma = std::min(list.find(','), list.size());
      const auto piece = list.substr(0, comma);
      list.remove_prefix(std::min(comma + 1, list.size()));
      if (piece.empty()) continue;
      ++number_;
      hosts.push_back(read_host(piece));
    }
    return hosts;
  }

 private:
  transport_host read_host(std::string_view piece) {
    transport_host host;
    if (const auto at = piece.rfind('@'); at != std::string_view::npos) {
      const auto user = piece.substr(0, at);
      const auto colon = user.find(':');
      host.username = percent_decode(user.substr(0, colon));
      if (colon != std::string_view::npos) host.password = percent_decode(user.substr(colon + 1));
      piece.remove_prefix(at + 1);
    }
    if (piece.empty()) return host;
    if (piece.find(' ') != std::string_view::npos) refuse_part("The name", "holds a space.");
    if (piece[0] == '[') {
      const auto end = piece.find(']');
      if (end == std::string_view::npos) refuse_part("The address", "lacks its ']'.");
      host.hostname = piece.substr(1, end - 1);
      if (!is_ipv6(*host.hostname))
        refuse_part("The address in brackets", "is not an IPv6 address.");
      const auto after = piece.substr(end + 1);
      if (!after.empty()) {
        if (after[0] != ':') refuse_part("The address", "is followed by something after its ']'.");
        host.port = read_port(after.substr(1));
      }
      return host;
    }
    if (piece.find_first_of("[]") != std::string_view::npos)
      refuse_part("The name", "holds a bracket that does not enclose an IPv6 address.");
    const auto colon = piece.find(':');
    if (colon != piece.rfind(':')) {
      if (!is_ipv6(piece)) refuse_part("The name", "holds several ':' and is not an IPv6 address.");
      host.hostname = piece;
      return host;
    }
    host.hostname = piece.substr(0, colon);
    if (colon != std::string_view::npos) host.port = read_port(piece.substr(colon + 1));
    return host;
  }

  std::uint16_t read_port(std::string_view text) {
    unsigned port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc{} || end != text.data() + text.size() || port < 1 || port > 65'535)
      refuse_part("The port", "is not a number from 1 to 65535.");
    return static_cast<std::uint16_t>(port);
  }

  [[noreturn]] void refuse_part(std::string_view part, std::string_view why) {
    std::string text(part);
    text.append(" of host ").append(std::to_string(number_)).append(1, ' ').append(why);
    refuse(scheme_, text.append(" In a user name or password, each of / ? # , @ : [ ] and space "
                                "must be written as %XX."));
  }

  std::string_view scheme_;
  std::size_t number_ = 0;
};

std::map<std::string, std::string> read_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const auto amp = std::min(text.find('&'), text.size());
    const auto item = text.substr(0, amp);
    text.remove_prefix(std::min(amp + 1, text.size()));
    const auto equals = item.find('=');
    if (equals == std::string_view::npos || equals + 1 == item.size()) continue;
    auto value = percent_decode(item.substr(equals + 1), true);
    auto [it, added] = query.emplace(percent_decode(item.substr(0, equals), true), value);
    if (!added) it->second.append(1, ',').append(value);
  }
  return query;
}

bool names_a_secret(std::string_view key) {
  const std::string lower = ascii_lower(key);
  for (const char* word : {"password", "passwd", "secret", "token"})
    if (lower.find(word) != std::string::npos) return true;
  return false;
}

std::string format(const transport_url& url, bool secrets) {
  std::string text = url.transport + "://";
  bool first = true;
  for (const auto& host : url.hosts) {
    if (!first) text += ',';
    first = false;
    if (host.username) text += percent_encode(*host.username);
    if (host.password) text += ':' + (secrets ? percent_encode(*host.password) : "***");
    if (host.username || host.password) text += '@';
    if (host.hostname) {
      const bool literal = host.hostname->find(':') != std::string::npos;
      text += literal ? '[' + *host.hostname + ']' : *host.hostname;
    }
    if (host.port) text += ':' + std::to_string(*host.port);
  }
  text += '/';
  if (url.virtual_host) text += percent_encode(*url.virtual_host, "/");
  char separator = '?';
  for (const auto& [key, value] : url.query) {
    text += separator + percent_encode(key, {}, true) + '=';
    text += secrets || !names_a_secret(key) ? percent_encode(value, {}, true) : "***";
    separator = '&';
  }
  return text;
}

}  // namespace

transport_url transport_url::parse(std::string_view text) {
  check_text(text);
  transport_url url;
  std::string_view rest = text;
  url.transport = take_scheme(rest);
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    const auto end = std::min(rest.find_first_of("/?#"), rest.size());
    url.hosts = host_list_reader{url.transport}.read(rest.substr(0, end));
    rest.remove_prefix(end);
  }
  rest = rest.substr(0, rest.find('#'));
  if (const auto question = rest.find('?'); question != std::string_view::npos) {
    url.query = read_query(rest.substr(question + 1));
    rest = rest.substr(0, question);
  }
  if (rest.starts_with('/')) url.virtual_host = percent_decode(rest.substr(1));
  return url;
}

std::string to_string(const transport_url& url) {
  return format(url, true);
}
std::string redacted(const transport_url& url) {
  return format(url, false);
}

std::string credentials_warning(const transport_url& url) {
  std::string with, without;
  for (const auto& host : url.hosts) {
    std::string& list = host.username && host.password ? with : without;
    if (!list.empty()) list += ", ";
    list += host.hostname.value_or("(no name)");
  }
  if (with.empty() || without.empty()) return {};
  return "All hosts of the transport URL should have a user name and password, or none. With: " +
         with + ". Without: " + without + ".";
}

}  // namespace oslo::messaging
