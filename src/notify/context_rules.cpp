#include <algorithm>
#include <array>
#include <oslo/messaging/notify/context_rules.hpp>
#include <string_view>

namespace oslo::messaging::notify {
namespace {

constexpr std::array<std::string_view, 27> harmless{"user_id",
                                                    "project_id",
                                                    "domain_id",
                                                    "user_domain_id",
                                                    "project_domain_id",
                                                    "is_admin",
                                                    "request_id",
                                                    "roles",
                                                    "user_name",
                                                    "project_name",
                                                    "domain_name",
                                                    "user_domain_name",
                                                    "project_domain_name",
                                                    "service_user_id",
                                                    "service_user_domain_id",
                                                    "service_user_domain_name",
                                                    "service_project_id",
                                                    "service_project_name",
                                                    "service_project_domain_id",
                                                    "service_project_domain_name",
                                                    "service_roles",
                                                    "global_request_id",
                                                    "system_scope",
                                                    "user",
                                                    "domain",
                                                    "user_domain",
                                                    "project_domain"};

}  // namespace

context no_context(const context&) {
  return {};
}

context known_keys(const context& given) {
  context out;
  for (const auto& entry : given.entries()) {
    const std::string_view key(entry.key().data(), entry.key().size());
    if (std::find(harmless.begin(), harmless.end(), key) == harmless.end()) continue;
    if (const auto* const text = given.exact_text(key))
      out.set(key, raw_json{*text});
    else
      out.set(key, entry.value());
  }
  return out;
}

context whole_context(const context& given) {
  return given;
}

}  // namespace oslo::messaging::notify
