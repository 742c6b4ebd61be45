#include <oslo/messaging/detail/current_failure.hpp>
#include <oslo/messaging/driver.hpp>
#include <utility>

#include "core/guarded_driver.hpp"

namespace oslo::messaging {

void driver_registry::add(std::string scheme, factory make, option_group options, examiner look,
                          driver_trust trust) {
  if (scheme.empty() || scheme.find('+') != std::string::npos)
    throw_failure({errc::invalid_argument, "\"" + scheme + "\" cannot name a transport driver."});
  if (!make)
    throw_failure({errc::invalid_argument, "Transport driver \"" + scheme + "\" has no factory."});
  const auto [it, added] =
      entries_.emplace(std::move(scheme), entry{std::move(make), std::move(look), trust});
  if (!added)
    throw_failure({errc::invalid_argument,
                   "There is a transport driver for the scheme \"" + it->first + "\" already."});
  if (!options.name.empty()) options_.push_back(options);
}

const driver_registry::entry& driver_registry::find(const transport_url& url) const {
  const auto name = std::string_view(url.transport).substr(0, url.transport.find('+'));
  const auto it = entries_.find(name);
  if (it == entries_.end()) {
    std::string known;
    for (const auto& [scheme, unused] : entries_) {
      if (!known.empty()) known += ", ";
      known += scheme;
    }
    throw_failure(
        {errc::unknown_driver, "Failed to load transport driver \"" + url.transport +
                                   "\": There is no driver \"" + std::string(name) +
                                   "\". Known drivers: " + (known.empty() ? "none" : known) + "."});
  }
  return it->second;
}

std::unique_ptr<driver> driver_registry::make(const transport_url& url,
                                              driver_environment env) const {
  const auto& [make_one, look, trust] = find(url);
  if (trust == driver_trust::trusted) return make_one(url, std::move(env));
  const auto loop = env.loop;
  const auto log = env.log;
  const auto words = "Failed to load transport driver \"" + url.transport + "\"";
  std::unique_ptr<driver> made;
  try {
    made = make_one(url, std::move(env));
  } catch (const messaging_error&) {
    throw;
  } catch (...) {
    throw driver_load_failure(detail::current_failure(errc::unknown_driver, words));
  }
  if (!made) throw driver_load_failure({errc::unknown_driver, words + ": It is null."});
  return guarded_driver(std::move(made), loop, log, url.transport);
}

std::vector<finding> driver_registry::examine(const transport_url& url,
                                              const driver_environment& env,
                                              const examination& what) const {
  const auto& look = find(url).look;
  if (look) return look(url, env, what);
  return {{severity::note, "transport " + redacted(url),
           "The driver \"" + url.transport + "\" has nothing to look at before it is used."}};
}

}  // namespace oslo::messaging
