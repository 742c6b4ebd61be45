#include <oslo/messaging/driver.hpp>

namespace oslo::messaging {

void driver_registry::add(std::string scheme, factory make, option_group options) {
  if (scheme.empty() || scheme.find('+') != std::string::npos)
    throw_failure({errc::invalid_argument, "\"" + scheme + "\" cannot name a transport driver."});
  if (!make)
    throw_failure({errc::invalid_argument, "Transport driver \"" + scheme + "\" has no factory."});
  const auto [it, added] = factories_.emplace(std::move(scheme), std::move(make));
  if (!added)
    throw_failure({errc::invalid_argument,
                   "There is a transport driver for the scheme \"" + it->first + "\" already."});
  if (!options.name.empty()) options_.push_back(options);
}

std::unique_ptr<driver> driver_registry::make(const transport_url& url,
                                              driver_environment env) const {
  const auto name = std::string_view(url.transport).substr(0, url.transport.find('+'));
  const auto it = factories_.find(name);
  if (it == factories_.end()) {
    std::string known;
    for (const auto& [scheme, unused] : factories_) {
      if (!known.empty()) known += ", ";
      known += scheme;
    }
    throw_failure(
        {errc::unknown_driver, "Failed to load transport driver \"" + url.transport +
                                   "\": There is no driver \"" + std::string(name) +
                                   "\". Known drivers: " + (known.empty() ? "none" : known) + "."});
  }
  return it->second(url, std::move(env));
}

}  // namespace oslo::messaging
