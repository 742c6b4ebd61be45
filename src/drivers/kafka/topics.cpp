#include "drivers/kafka/topics.hpp"

#include <algorithm>

#include "core/shown_name.hpp"

namespace oslo::messaging::kafka {
namespace {

constexpr std::size_t longest_topic = 249;

bool is_allowed(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

}  // namespace

std::string topic_name(std::string_view topic, std::string_view vhost) {
  std::string name(topic);
  if (!vhost.empty()) name.append(".").append(vhost);
  return name;
}

result<void> check_topic(std::string_view name) {
  if (!name.empty() && name.size() <= longest_topic && name != "." && name != ".." &&
      std::all_of(name.begin(), name.end(), is_allowed))
    return {};
  return failure(
      errc::invalid_argument,
      "A topic of Kafka has 1 to " + std::to_string(longest_topic) +
          " letters, digits, dots, underscores and hyphens; this one has not: " + shown_name(name));
}

}  // namespace oslo::messaging::kafka
