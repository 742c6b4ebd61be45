#include <algorithm>
#include <oslo/messaging/rpc/endpoint.hpp>

namespace oslo::messaging::rpc {

bool binding::expects(const std::exception_ptr& error) const {
  return std::any_of(expected_.begin(), expected_.end(),
                     [&](auto* matches) { return matches(error); });
}

void binding::require_one(std::string_view name) {
  const auto known = handler_->arguments();
  const auto at = std::find_if(known.begin(), known.end(),
                               [&](const auto& argument) { return argument.name == name; });
  if (at == known.end())
    throw configuration_error({errc::invalid_argument, "The handler of method \"" + name_ +
                                                           "\" takes no argument \"" +
                                                           std::string(name) + "\"."});
  rules_.required.push_back(static_cast<std::size_t>(at - known.begin()));
}

namespace detail {
namespace {

void refuse_null(const std::unique_ptr<const handler>& h, const std::string& name) {
  if (!h)
    throw configuration_error(
        {errc::invalid_argument, "The handler of method \"" + name + "\" is an empty function."});
}

}  // namespace

void read_arguments(const request& r, void* into, described_arguments members) {
  const messaging::detail::member_rules rules{r.method, !r.rules.allow_unknown, r.rules.required};
  json_reader in(r.args);
  try {
    messaging::detail::read_members(in, into, members, &rules);
  } catch (...) {
    messaging::detail::rethrow_below("args");
  }
  in.finish();
}

method_table::method_table(target accepts, bool allow_unknown)
    : accepts_(std::move(accepts)),
      allow_unknown_(allow_unknown),
      namespaces_(accepts_.accepted_namespaces()),
      version_(accepts_.version && !accepts_.version->empty() ? *accepts_.version : "1.0") {
  version_is_compatible(version_, version_);
}

binding& method_table::add(std::string name, std::unique_ptr<const handler> h) {
  if (name.empty()) throw configuration_error({errc::invalid_argument, "A method needs a name."});
  refuse_null(h, name);
  const auto [at, added] = bindings_.try_emplace(name);
  if (!added)
    throw configuration_error(
        {errc::invalid_argument, "Method \"" + name + "\" is bound twice on one endpoint."});
  at->second.reset(new binding(std::move(name), std::move(h)));
  return at->second->allow_unknown(allow_unknown_);
}

binding& method_table::add_any(std::unique_ptr<const handler> h) {
  refuse_null(h, "*");
  if (any_)
    throw configuration_error(
        {errc::invalid_argument, "An endpoint has one handler for any method, not two."});
  any_.reset(new binding("*", std::move(h)));
  return any_->allow_unknown();
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

}  // namespace detail

endpoint::endpoint(target accepts, endpoint_options o)
    : table_(std::move(accepts), o.allow_unknown) {}

}  // namespace oslo::messaging::rpc
