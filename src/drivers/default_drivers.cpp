#include <oslo/messaging/transport.hpp>
#include <utility>

#include "drivers/inproc/driver.hpp"
#include "drivers/rabbit/driver.hpp"

namespace oslo::messaging {

const driver_registry& default_drivers() {
  static const driver_registry registry = [] {
    driver_registry r;
    r.add("fake", [](const transport_url& url, driver_environment env) {
      return inproc::make_driver(url, std::move(env));
    });
    // Python's library knows RabbitMQ under both names.
    for (const char* scheme : {"rabbit", "kombu"})
      r.add(scheme, [](const transport_url& url, driver_environment env) {
        return rabbit::make_driver(url, std::move(env));
      });
    return r;
  }();
  return registry;
}

}  // namespace oslo::messaging
