#include "net/link_settings.hpp"

#include <stdexcept>

#include "net/tls_client.hpp"

namespace oslo::messaging::net {
namespace {

struct deaf : amqp091::event_handler {
  void on_closed(const amqp091::close_reason&) override {}
};

[[noreturn]] void refuse(std::string why) {
  throw_failure({errc::invalid_config, std::move(why)});
}

void check_login(const link_settings& settings, const broker& b) {
  try {
    const auto options = options_for(settings, b);
    if (options.mechanism == "PLAIN" &&
        (options.username + options.password).find('\0') != std::string::npos)
      throw std::length_error("A null byte cannot be sent with PLAIN.");
    deaf nobody;
    const amqp091::connection trial(options, nobody, {});
  } catch (const std::logic_error& e) {  // invalid_argument, length_error
    refuse("Cannot log in to " + b.where.text() + " like this: " + e.what());
  }
}

}  // namespace

amqp091::connection_options options_for(const link_settings& settings, const broker& to) {
  auto options = settings.amqp;
  options.username = to.username;
  options.password = to.password;
  return options;
}

void check(const link_settings& settings) {
  if (settings.brokers.empty()) refuse("There is no broker to connect to.");
  for (const auto& b : settings.brokers) {
    if (b.where.host.empty()) refuse("A broker has no host name.");
    if (b.where.port == 0) refuse("The broker " + b.where.host + " has port 0.");
    check_login(settings, b);
  }
  if (settings.tls.enabled) tls_client(settings.tls).context();
}

}  // namespace oslo::messaging::net
