// The certificates of one side of TLS, read from files that may change.
#pragma once

#include <array>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <oslo/messaging/error.hpp>
#include <string>
#include <vector>

#include "net/stream.hpp"

namespace oslo::messaging::net {

/// One context for all streams of a link. Files that changed since they were read are read again;
/// when they cannot be used, the last good context stays in use.
///
/// Not thread safe.
class tls_client {
 public:
  using context_ptr = std::shared_ptr<boost::asio::ssl::context>;

  explicit tls_client(tls_options options) : options_(std::move(options)) {}

  /// Throws `configuration_error`, which names the file, when there was never a good one.
  context_ptr context();
  /// Why the last good context is in use though the files have changed. Told once a change.
  std::optional<failure> take_complaint() { return std::exchange(complaint_, std::nullopt); }
  const tls_options& options() const noexcept { return options_; }

 private:
  /// What tells one version of a file from the next.
  using stamp = std::array<std::int64_t, 5>;
  std::vector<stamp> stamps() const;

  tls_options options_;
  context_ptr good_;
  std::vector<stamp> seen_;  ///< of the files when they were last read
  std::optional<failure> complaint_;
};

}  // namespace oslo::messaging::net
