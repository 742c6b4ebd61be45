// Who is who in the tests of TLS: certificates of this run.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

#include "net/stream.hpp"
#include "support/tls_broker.hpp"

namespace tls_files {

inline const std::filesystem::path& folder() {
  struct one {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("oslo-tls-peers-" + std::to_string(::getpid()));
    ~one() { std::filesystem::remove_all(path); }
  };
  static const one it;
  return it.path;
}
inline const authority& trusted() {
  static const authority one(folder(), "trusted");
  return one;
}
inline const authority& stranger() {
  static const authority one(folder(), "stranger");
  return one;
}
/// That of a broker with which nothing is wrong.
inline const identity& right() {
  static const identity one = trusted().sign({.name = "right", .hosts = "DNS:localhost"});
  return one;
}

/// Of a client that trusts `trusted()`.
inline oslo::messaging::net::tls_options trusting() {
  return {.enabled = true, .ca_file = trusted().file()};
}

inline manner showing(const identity& i) {
  return {.shows = i};
}
/// No TLS, but these bytes.
inline manner blurting(std::string bytes) {
  return {.blurts = std::move(bytes)};
}

}  // namespace tls_files
