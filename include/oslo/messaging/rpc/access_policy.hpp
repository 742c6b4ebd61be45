// Which methods of an endpoint a peer may call.
#pragma once

#include <memory>
#include <string_view>

namespace oslo::messaging::rpc {

/// Asked for every message once namespace, version and name have found a method (spec section 1.7).
/// A refused method looks to the caller as if it did not exist.
///
/// Thread safety: called from any thread, possibly at once from several.
class access_policy {
 public:
  virtual ~access_policy() = default;
  /// `exposed`: the method was bound with `.expose()`.
  virtual bool is_allowed(std::string_view method, bool exposed) const = 0;
};

/// Allows every bound method (oslo: LegacyRPCAccessPolicy).
std::shared_ptr<const access_policy> legacy_access_policy();
/// Allows methods whose name does not start with '_' (oslo: DefaultRPCAccessPolicy).
std::shared_ptr<const access_policy> default_access_policy();
/// Allows methods bound with `.expose()` only (oslo: ExplicitRPCAccessPolicy).
std::shared_ptr<const access_policy> explicit_access_policy();

}  // namespace oslo::messaging::rpc
