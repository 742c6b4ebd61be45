#include "notify/message_text.hpp"

#include <cstdint>
#include <oslo/messaging/json.hpp>

namespace oslo::messaging::notify {

namespace {

/// Writes the last `width` digits and returns where they end.
char* put_digits(char* to, std::int64_t value, int width) {
  for (int i = width; i-- > 0; value /= 10) to[i] = static_cast<char>('0' + value % 10);
  return to + width;
}

}  // namespace

std::string timestamp_text(std::chrono::system_clock::time_point when) {
  using namespace std::chrono;
  const auto day = floor<days>(when);
  const year_month_day date{day};
  const hh_mm_ss time{floor<microseconds>(when - day)};
  // The clock ends in the year 2262.
  char text[] = "0000-00-00 00:00:00.000000";
  char* end = put_digits(text, static_cast<int>(date.year()), 4);
  end = put_digits(end + 1, static_cast<unsigned>(date.month()), 2);
  end = put_digits(end + 1, static_cast<unsigned>(date.day()), 2);
  end = put_digits(end + 1, time.hours().count(), 2);
  end = put_digits(end + 1, time.minutes().count(), 2);
  end = put_digits(end + 1, time.seconds().count(), 2);
  if (const auto fraction = time.subseconds().count(); fraction != 0)
    end = put_digits(end + 1, fraction, 6);
  return {text, end};
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
