// The drivers that the suite runs over. A driver joins with a row here, and with an entry in
// CMakeLists.txt that says what it needs.
#include <cstdlib>
#include <sstream>

#include "bus.hpp"

namespace oslo::messaging::conformance {
namespace {

bus_kind over(std::string name, std::string url) {
  return {std::move(name),
          [url](transport_options o) { return open_transport(url, std::move(o)); }};
}

/// Names of the queues on which single servers get what is meant for all.
std::string fanout_queues(const std::string& topic) {
  std::istringstream all(testing::rabbitmqctl({"list_queues", "--silent", "name"}));
  std::string found;
  for (std::string line; std::getline(all, line);)
    if (line.find(topic + "_fanout_") != std::string::npos) found += line + "\n";
  return found;
}

}  // namespace

std::vector<bus_kind> all_buses() {
  std::vector<bus_kind> rows{over("fake", "fake://")};
  if (std::getenv("OSLO_TEST_RABBIT_URL") != nullptr) {
    rows.push_back(over("rabbit", testing::rabbit_url()));
    rows.back().drops_expired = true;
    rows.back().private_queues = fanout_queues;
  }
  return rows;
}

}  // namespace oslo::messaging::conformance
