#include "json_argument.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <oslo/messaging/json.hpp>

#include "exit_status.hpp"

namespace oslo::messaging::cli {
namespace {

/// No peer takes a longer message.
constexpr std::size_t longest = std::size_t{128} << 20;

std::string slurp(std::string_view what, std::istream& in) {
  std::string text;
  char block[65'536];
  while (in.read(block, sizeof block), in.gcount() > 0) {
    text.append(block, static_cast<std::size_t>(in.gcount()));
    if (text.size() > longest)
      throw usage_error{std::string{what} + ": longer than the limit of " +
                        std::to_string(longest) + " bytes"};
  }
  return text;
}

std::string fetch(std::string_view what, const std::string& text) {
  if (text == "-") {
    auto read = slurp(what, std::cin);
    if (std::ferror(stdin) != 0)
      throw usage_error{std::string{what} +
                        ": cannot read standard input: " + std::strerror(errno)};
    return read;
  }
  if (!text.starts_with('@')) return text;
  const std::string path = text.substr(1);
  const auto unreadable = [&] {
    return usage_error{std::string{what} + ": cannot read " + path + ": " + std::strerror(errno)};
  };
  std::ifstream file{path, std::ios::binary};
  if (!file) throw unreadable();
  auto read = slurp(what, file);
  if (file.bad()) throw unreadable();  // a directory can be opened
  return read;
}

/// "line 2, column 7", counted from 1.
std::string place(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto start = before.rfind('\n');
  const auto column = 1 + before.size() - (start == std::string_view::npos ? 0 : start + 1);
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

std::string read_checked(std::string_view what, const std::string& text, bool only_object) {
  std::string json = fetch(what, text);
  json_reader reader{json};
  try {
    if (only_object && reader.peek() != json_reader::kind::object)
      throw usage_error{std::string{what} + ": expected a JSON object such as {\"a\": 1} at " +
                        place(json, reader.offset())};
    reader.skip_value();
    reader.finish();
  } catch (const messaging_error& e) {
    throw usage_error{std::string{what} + ": " + place(json, reader.offset()) + ": " + e.what()};
  }
  return json;
}

}  // namespace

std::string read_json_object(std::string_view what, const std::string& text) {
  return read_checked(what, text, true);
}

std::string read_json(std::string_view what, const std::string& text) {
  return read_checked(what, text, false);
}

context read_context(const std::string& text) {
  return context{parse_json(read_json_object("--context", text)).get_object()};
}

std::string one_line(std::string json) {
  std::replace_if(
      json.begin(), json.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return json;
}

}  // namespace oslo::messaging::cli
