// Which methods of an endpoint a peer may call.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#pragma GCC visibility push(default)

namespace oslo::messaging {
class context;
}

namespace oslo::messaging::rpc {

/// A request as `access_policy::authorize` sees it. Valid during the call.
struct access_request {
  std::string_view method;                     ///< name of the method that was found
  std::optional<std::string_view> namespace_;  ///< as the caller wrote it; none: null
  const context& ctxt;                         ///< what the handler will get
};

/// Which methods callers may see, and which requests a server accepts.
///
/// Thread safety: called from any thread, possibly at once from several.
class access_policy {
 public:
  virtual ~access_policy() = default;
  /// Asked for every message once namespace, version and name have found a method
  /// (docs/wire/rpc.md, RPC-10 and RPC-13). A refused method looks to the caller as if it did not
  /// exist. `exposed`: the method was bound with `.expose()`.
  virtual bool is_allowed(std::string_view method, bool exposed) const = 0;
  /// Called for each request right before its handler, where that runs, and before its arguments
  /// are looked at. To refuse the request, throw: the handler does not run, and the caller gets the
  /// exception as if the handler had thrown it, for example a `remote_exception` of
  /// "nova.exception", "Forbidden". Accepts everything unless overridden. The ping is a request,
  /// too.
  virtual void authorize(const access_request&) const {}
};

/// Allows every bound method (oslo: LegacyRPCAccessPolicy).
std::shared_ptr<const access_policy> legacy_access_policy();
/// Allows methods whose name does not start with '_' (oslo: DefaultRPCAccessPolicy).
std::shared_ptr<const access_policy> default_access_policy();
/// Allows methods bound with `.expose()` only (oslo: ExplicitRPCAccessPolicy).
std::shared_ptr<const access_policy> explicit_access_policy();

}  // namespace oslo::messaging::rpc

#pragma GCC visibility pop
