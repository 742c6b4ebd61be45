// How long certificates are good for.
#pragma once

#include <openssl/x509.h>

#include <chrono>
#include <optional>
#include <string>

namespace oslo::messaging::net {

/// None when its date cannot be read.
std::optional<std::chrono::system_clock::time_point> valid_until(const X509& certificate);

/// Of the first certificate in a PEM file; none when there is none that can be read.
std::optional<std::chrono::system_clock::time_point> valid_until(const std::string& file);

}  // namespace oslo::messaging::net
