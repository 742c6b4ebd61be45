#include <oslo/messaging/notify/endpoint.hpp>
#include <string>

namespace oslo::messaging::notify {
namespace {

template <class Handlers, class Handler>
void add_to(Handlers& all, priority p, Handler h) {
  if (!all.try_emplace(p, std::move(h)).second)
    throw configuration_error({errc::invalid_argument, "Priority " + std::string(to_string(p)) +
                                                           " is bound twice on one endpoint."});
}

template <class Handlers>
auto find_in(const Handlers& all, priority p) noexcept {
  const auto found = all.find(p);
  return found == all.end() ? nullptr : &found->second;
}

}  // namespace

void endpoint::add(priority p, detail::single_handler h) {
  add_to(singles_, p, std::move(h));
}
void endpoint::add(priority p, detail::batch_handler h) {
  add_to(batches_, p, std::move(h));
}
const detail::single_handler* endpoint::single(priority p) const noexcept {
  return find_in(singles_, p);
}
const detail::batch_handler* endpoint::batch(priority p) const noexcept {
  return find_in(batches_, p);
}

}  // namespace oslo::messaging::notify
