#include "notify/message_text.hpp"

#include <cstdio>
#include <oslo/messaging/json.hpp>

namespace oslo::messaging::notify {

std::string timestamp_text(std::chrono::system_clock::time_point when) {
  using namespace std::chrono;
  const auto day = floor<days>(when);
  const year_month_day date{day};
  const hh_mm_ss time{floor<microseconds>(when - day)};
  char text[64];
  int length = std::snprintf(
      text, sizeof text, "%04d-%02u-%02u %02d:%02d:%02d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()));
  std::string out(text, static_cast<std::size_t>(length));
  if (const auto fraction = time.subseconds().count(); fraction != 0) {
    length = std::snprintf(text, sizeof text, ".%06d", static_cast<int>(fraction));
    out.append(text, static_cast<std::size_t>(length));
  }
  return out;
}

std::string message_text(const message_facts& f) {
  std::string out;
  out.reserve(200 + f.event_type.size() + f.payload_json.size());
  out += "{\"message_id\": ";
  write_json(out, f.message_id);
  out += ", \"publisher_id\": ";
  if (f.publisher_id)
    write_json(out, *f.publisher_id);
  else
    out += "null";
  out += ", \"event_type\": ";
  write_json(out, f.event_type);
  out += ", \"priority\": ";
  write_json(out, f.lower_case_priority ? to_string(f.priority) : wire_name(f.priority));
  out += ", \"payload\": ";
  out += f.payload_json;
  out += ", \"timestamp\": ";
  write_json(out, f.timestamp);
  out += '}';
  return out;
}

}  // namespace oslo::messaging::notify
