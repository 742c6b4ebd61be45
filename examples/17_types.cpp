// The pieces of docs/types.md, as one program: what C++ types look like on the bus.
#include <array>
#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <oslo/messaging/messaging.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "expect.hpp"

namespace om = oslo::messaging;

// ---- what is checked ----------------------------------------------------------------------------

/// The value is written as that text, and the text is read as that value.
template <class T>
void travels(const T& v, std::string_view text) {
  expect(om::to_json(v) == text, text.data());
  expect(om::to_json(om::from_json<T>(text)) == text, text.data());
}

template <class T>
void refuses(std::string_view text, std::string_view why) {
  const auto r = om::try_from_json<T>(text, "args");
  expect(r.has_error() && r.error().message() == why, text.data());
}

// ---- described types ----------------------------------------------------------------------------

enum class state { off, on };
BOOST_DESCRIBE_ENUM(state, off, on)

struct disk {
  std::string name;
  std::int64_t bytes = 0;
  std::optional<int> slot{};
};
BOOST_DESCRIBE_STRUCT(disk, (), (name, bytes, slot))

struct machine {
  state power = state::off;
  disk root{};
  std::vector<disk> others{};
  std::map<std::string, std::string> labels{};
  om::value extra{};
};
BOOST_DESCRIBE_STRUCT(machine, (), (power, root, others, labels, extra))

// ---- types of your own --------------------------------------------------------------------------

using instant = std::chrono::sys_time<std::chrono::microseconds>;

template <>
struct oslo::messaging::json_codec<instant> {
  static void write(std::string& out, const instant& t) {
    const auto day = std::chrono::floor<std::chrono::days>(t);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss time{t - day};
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06d", int(date.year()),
                  unsigned(date.month()), unsigned(date.day()), int(time.hours().count()),
                  int(time.minutes().count()), int(time.seconds().count()),
                  int(time.subseconds().count()));
    write_value(out, std::string_view(text));
  }
  static void read(json_reader& r, instant& t) {
    const auto text = read_value<std::string>(r);
    int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, us = 0;
    if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d.%d", &y, &mo, &d, &h, &mi, &s, &us) < 6)
      conversion_failed("expected a time like 2026-11-30T12:00:00.000005");
    t = std::chrono::sys_days{std::chrono::year{y} / mo / d} + std::chrono::hours{h} +
        std::chrono::minutes{mi} + std::chrono::seconds{s} + std::chrono::microseconds{us};
  }
};

using size_or_name = std::variant<std::int64_t, std::string>;

template <>
struct oslo::messaging::json_codec<size_or_name> {
  static void write(std::string& out, const size_or_name& v) {
    std::visit([&](const auto& one) { write_value(out, one); }, v);
  }
  static void read(json_reader& r, size_or_name& v) {
    if (r.peek() == json_reader::kind::string)
      v = read_value<std::string>(r);
    else
      v = read_value<std::int64_t>(r);
  }
};

struct bytes {
  std::string data;
};

template <>
struct oslo::messaging::json_codec<bytes> {
  static void write(std::string& out, const bytes& v) {
    std::string text;
    for (const char c : v.data) {
      text += "0123456789abcdef"[(c >> 4) & 15];
      text += "0123456789abcdef"[c & 15];
    }
    write_value(out, text);
  }
  static void read(json_reader& r, bytes& v) {
    const auto text = read_value<std::string>(r);
    v.data.clear();
    for (std::size_t i = 0; i < text.size(); i += 2) {
      unsigned byte = 0;
      if (std::sscanf(text.substr(i, 2).c_str(), "%2x", &byte) != 1)
        conversion_failed("expected hexadecimal digits");
      v.data += static_cast<char>(byte);
    }
  }
};

struct flavor {
  std::string name;
  std::optional<int> ram{};
};
BOOST_DESCRIBE_STRUCT(flavor, (), (name, ram))

void optional_members() {
  travels(flavor{.name = "tiny"}, R"({"name": "tiny"})");  // of arguments and payloads: left out

  const om::transport bus = om::open_transport("fake://");
  auto catalogue = std::make_shared<om::rpc::endpoint>();
  catalogue->bind("get", [] { return flavor{.name = "tiny"}; });
  om::rpc::server server{bus, {.topic = "flavors", .server = "host1"}, {catalogue}};
  server.start();
  const om::blocking::client client{bus, {.topic = "flavors"}};
  constexpr om::rpc::method<om::raw_json()> get{"get"};
  expect(client.call(get, {}).text == R"({"name": "tiny", "ram": null})", "of results: null");
}

int main() {
  travels(true, "true");
  travels(-5, "-5");
  travels<std::uint64_t>(18446744073709551615u, "18446744073709551615");
  travels(9007199254740993, "9007199254740993");  // 2^53 + 1 keeps its last digit
  travels(1.0, "1.0");
  travels(1e16, "1e+16");
  travels(HUGE_VAL, "Infinity");
  travels(std::string("grün\n"), R"("gr\u00fcn\n")");
  travels(std::optional<int>{}, "null");
  travels(std::vector{1, 2, 3}, "[1, 2, 3]");
  travels(std::array{1.5, 2.0}, "[1.5, 2.0]");
  travels(std::pair<std::string, int>{"a", 1}, R"(["a", 1])");
  travels(std::tuple<int, bool>{1, true}, "[1, true]");
  travels(std::map<std::string, int>{{"a", 1}}, R"({"a": 1})");
  travels(state::on, R"("on")");
  travels(nullptr, "null");
  travels(om::value{{"a", {1, nullptr}}}, R"({"a": [1, null]})");
  travels(om::raw_json{"12345678901234567890123"}, "12345678901234567890123");

  machine m{.power = state::on, .root = {.name = "sda", .bytes = 8'000'000'000, .slot = 1}};
  m.others = {{.name = "sdb"}};
  m.labels["rack"] = "r1";
  travels(m,
          R"({"power": "on", "root": {"name": "sda", "bytes": 8000000000, "slot": 1}, )"
          R"("others": [{"name": "sdb", "bytes": 0}], "labels": {"rack": "r1"}, "extra": null})");

  refuses<int>("1.0", "args: expected int, got float");
  refuses<int>("true", "args: expected int, got bool");
  refuses<int>("\"1\"", "args: expected int, got string");
  refuses<std::uint8_t>("256", "args: expected int from 0 to 255, got 256");
  refuses<std::string>("null", "args: expected string, got null");
  refuses<state>("\"idle\"", "args: expected one of off, on, got \"idle\"");
  refuses<machine>(R"({"others": [{}, {"bytes": "8"}]})",
                   "args.others[1].bytes: expected int, got string");

  expect(om::from_json<double>("3") == 3.0, "an integer is taken as a float");
  expect(om::from_json<float>("0.1") == 0.1f, "the nearest float");
  expect(om::from_json<om::value>("9223372036854775807").as_int64() == 9223372036854775807,
         "64 bits in a value");
  expect(om::from_json<om::value>("12345678901234567890123").is_double(),
         "beyond them the nearest double");
  expect(om::from_json<machine>(R"({"new": 1})").root.name.empty(), "unknown keys are ignored");

  travels(instant{std::chrono::seconds{1'796'040'000} + std::chrono::microseconds{5}},
          R"("2026-11-30T12:00:00.000005")");
  travels(size_or_name{"big"}, R"("big")");
  travels(size_or_name{7}, "7");
  travels(bytes{std::string("\0\xff", 2)}, R"("00ff")");
  refuses<instant>("\"soon\"", "args: expected a time like 2026-11-30T12:00:00.000005");

  optional_members();
  std::cout << "all as on the page\n";
}
