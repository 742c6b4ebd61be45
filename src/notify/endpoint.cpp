#include <oslo/messaging/notify/endpoint.hpp>
#include <string>

namespace oslo::messaging::notify {
namespace {

template <class Handlers>
const detail::handler* find_in(const Handlers& all, priority p) noexcept {
  const auto found = all.find(p);
  return found == all.end() ? nullptr : found->second.get();
}

}  // namespace

void endpoint::add(handlers& all, priority p, std::unique_ptr<const detail::handler> h) {
  if (!h)
    throw configuration_error(
        {errc::invalid_argument,
         "The handler of priority " + std::string(to_string(p)) + " is an empty function."});
  if (!all.try_emplace(p, std::move(h)).second)
    throw configuration_error({errc::invalid_argument, "Priority " + std::string(to_string(p)) +
                                                           " is bound twice on one endpoint."});
}
const detail::handler* endpoint::single(priority p) const noexcept {
  return find_in(singles_, p);
}
const detail::handler* endpoint::batch(priority p) const noexcept {
  return find_in(batches_, p);
}

}  // namespace oslo::messaging::notify
