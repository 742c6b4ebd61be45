#include "notify/drivers.hpp"

#include <algorithm>
#include <array>

namespace oslo::messaging::notify {
namespace {

constexpr std::array<std::string_view, 6> names_of_the_library{"messaging", "messagingv2", "log",
                                                               "noop",      "routing",     "test"};

class noop_driver final : public notification_driver {
 public:
  void notify(const outgoing_notification&,
              unique_function<void(result<void>)> done) const override {
    done({});
  }
};

notification_sinks to_topics(const transport& bus, const std::vector<std::string>& topics,
                             notification_format f) {
  notification_sinks all;
  for (const auto& topic : topics) all.push_back(messaging_driver(bus, topic, f));
  return all;
}

}  // namespace

bool is_of_library(std::string_view name) noexcept {
  return std::find(names_of_the_library.begin(), names_of_the_library.end(), name) !=
         names_of_the_library.end();
}

void check_custom_drivers(const notification_drivers& custom) {
  const auto refuse = [](const std::string& name, const char* why) {
    throw configuration_error(
        {errc::invalid_argument, "The custom notification driver \"" + name + "\" " + why});
  };
  for (const auto& [name, d] : custom) {
    if (!d) refuse(name, "is null.");
    if (is_of_library(name)) refuse(name, "has the name of a driver of the library.");
  }
}

std::string known_drivers(const notification_drivers& custom) {
  std::string out = "Known are ";
  for (const auto name : names_of_the_library) {
    if (name != names_of_the_library.front()) out += ", ";
    out += name;
  }
  for (const auto& [name, d] : custom) out += ", " + name;
  return out + ".";
}

std::optional<notification_sinks> make_notification_driver(std::string_view name,
                                                           const driver_sources& from) {
  if (name == "messaging") return to_topics(from.bus, from.topics, notification_format::bare);
  if (name == "messagingv2") return to_topics(from.bus, from.topics, notification_format::envelope);
  if (name == "routing") return routing_driver(from);
  if (name == "log") return notification_sinks{log_driver(from.bus.log())};
  if (name == "test") return notification_sinks{test_driver()};
  if (name == "noop") return notification_sinks{std::make_shared<noop_driver>()};
  if (const auto own = from.custom.find(std::string(name)); own != from.custom.end())
    return notification_sinks{custom_driver(own->second, from.bus.shared_loop())};
  return std::nullopt;
}

}  // namespace oslo::messaging::notify
