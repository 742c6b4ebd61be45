#include <algorithm>
#include <oslo/messaging/rpc/endpoint.hpp>

namespace oslo::messaging::rpc {

bool binding::expects(const std::exception_ptr& error) const {
  return std::any_of(expected_.begin(), expected_.end(),
                     [&](auto* matches) { return matches(error); });
}

namespace detail {

method_table::method_table(target accepts)
    : accepts_(std::move(accepts)),
      namespaces_(accepts_.accepted_namespaces()),
      version_(accepts_.version && !accepts_.version->empty() ? *accepts_.version : "1.0") {
  version_is_compatible(version_, version_);
}

binding& method_table::add(std::string name, std::unique_ptr<const handler> h) {
  if (name.empty()) throw configuration_error({errc::invalid_argument, "A method needs a name."});
  const auto [at, added] = bindings_.try_emplace(name);
  if (!added)
    throw configuration_error(
        {errc::invalid_argument, "Method \"" + name + "\" is bound twice on one endpoint."});
  at->second.reset(new binding(std::move(name), std::move(h)));
  return *at->second;
}

binding& method_table::add_any(std::unique_ptr<const handler> h) {
  if (any_)
    throw configuration_error(
        {errc::invalid_argument, "An endpoint has one handler for any method, not two."});
  any_.reset(new binding("*", std::move(h)));
  return *any_;
}

bool method_table::fits(const std::optional<std::string>& namespace_,
                        const std::optional<std::string>& version) const {
  return std::find(namespaces_.begin(), namespaces_.end(), namespace_) != namespaces_.end() &&
         (version == version_ || version_is_compatible(version_, version));
}

const binding* method_table::find(std::string_view name) const noexcept {
  const auto found = bindings_.find(name);
  return found != bindings_.end() ? found->second.get() : any_.get();
}

bool method_table::acknowledges_late() const noexcept {
  const auto late = [](const binding& b) {
    return b.acknowledged() == acknowledge_when::after_success;
  };
  return (any_ && late(*any_)) ||
         std::any_of(bindings_.begin(), bindings_.end(),
                     [&](const auto& entry) { return late(*entry.second); });
}

std::shared_ptr<invocation> take_call(std::shared_ptr<invocation>& call) {
  if (!call) throw messaging_error({errc::invalid_argument, "A request was answered twice."});
  return std::move(call);
}

}  // namespace detail

endpoint::endpoint(target accepts) : table_(std::move(accepts)) {}

}  // namespace oslo::messaging::rpc
