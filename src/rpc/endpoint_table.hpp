// Finds the method that a request asks for.
#pragma once

#include <memory>
#include <optional>
#include <oslo/messaging/driver.hpp>
#include <oslo/messaging/rpc/access_policy.hpp>
#include <oslo/messaging/rpc/endpoint.hpp>
#include <oslo/messaging/serializer.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace oslo::messaging::rpc {

/// The keys of a request (docs/wire/rpc.md, RPC-1 and RPC-9).
struct request_header {
  std::string method;
  std::string_view args = "{}";  ///< view into the message
  std::optional<std::string> namespace_{};
  std::optional<std::string> version = "1.0";

  /// Throws `messaging_error` (`errc::malformed_message`) when the method is missing or a key has a
  /// value of the wrong type.
  static request_header read(const incoming_message& m);
};

/// The endpoints of one server, in the order in which they are asked (docs/wire/rpc.md, RPC-10).
///
/// Thread safety: const members from any thread.
class endpoint_table {
 public:
  endpoint_table(std::vector<std::shared_ptr<endpoint>> endpoints,
                 std::shared_ptr<const access_policy> policy,
                 std::shared_ptr<const serializer> translator);

  /// Throws `no_such_method` when an endpoint fits but none has the method, `unsupported_version`
  /// when none fits, and `messaging_error` when the version is not "major.minor".
  const binding& find(const request_header& r) const;

  /// Throws what the access policy does.
  void authorize(const request_header& r, const context& ctxt) const {
    policy_->authorize({r.method, r.namespace_, ctxt});
  }

  /// True when the request is for a method that is acknowledged after its handler. Costs nothing
  /// where no method is.
  bool acknowledges_late(const incoming_message& m) const noexcept;
  bool acknowledges_late() const noexcept { return any_late_; }  ///< any method

  /// The arguments, each through the serializer; or the same text when there is none.
  const serializer* translator() const noexcept { return translator_.get(); }
  std::string translate_arguments(const context& ctxt, std::string_view json) const;
  std::string translate_result(const context& ctxt, std::string_view json) const;

 private:
  std::vector<std::shared_ptr<endpoint>> endpoints_;
  std::shared_ptr<const access_policy> policy_;
  std::shared_ptr<const serializer> translator_;
  bool any_late_ = false;
};

}  // namespace oslo::messaging::rpc
