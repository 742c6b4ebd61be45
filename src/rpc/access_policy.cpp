#include <oslo/messaging/rpc/access_policy.hpp>

namespace oslo::messaging::rpc {
namespace {

class legacy final : public access_policy {
  bool is_allowed(std::string_view, bool) const override { return true; }
};
class no_underscore final : public access_policy {
  bool is_allowed(std::string_view method, bool) const override { return !method.starts_with('_'); }
};
class exposed_only final : public access_policy {
  bool is_allowed(std::string_view, bool exposed) const override { return exposed; }
};

}  // namespace

std::shared_ptr<const access_policy> legacy_access_policy() {
  return std::make_shared<legacy>();
}
std::shared_ptr<const access_policy> default_access_policy() {
  return std::make_shared<no_underscore>();
}
std::shared_ptr<const access_policy> explicit_access_policy() {
  return std::make_shared<exposed_only>();
}

}  // namespace oslo::messaging::rpc
