// How long certificates are good for.
#pragma once

#include <openssl/x509.h>

#include <chrono>
#include <optional>
#include <string>

namespace oslo::messaging::net {

/// None when its date cannot be read. In seconds, because the system's clock cannot tell the last
/// day of the year 9999, which stands for "without an end" (RFC 5280, 4.1.2.5).
std::optional<std::chrono::sys_seconds> valid_until(const X509& certificate);

/// Of the first certificate in a PEM file; none when there is none that can be read.
std::optional<std::chrono::sys_seconds> valid_until(const std::string& file);

}  // namespace oslo::messaging::net
