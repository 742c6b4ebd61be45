// Certificates made for this run of a test.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace tls_files {

/// A certificate for "localhost" that signs itself, and its key.
class own_certificate {
 public:
  explicit own_certificate(const std::string& name = "own") {
    folder_ = std::filesystem::temp_directory_path() /
              ("oslo-tls-" + std::to_string(::getpid()) + "-" + name);
    std::filesystem::create_directory(folder_);
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout " +
        key() + " -out " + certificate() + " 2>/dev/null";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl failed: " + command);
  }
  ~own_certificate() { std::filesystem::remove_all(folder_); }
  own_certificate(const own_certificate&) = delete;
  own_certificate& operator=(const own_certificate&) = delete;
  std::string key() const { return folder_ / "key.pem"; }
  std::string certificate() const { return folder_ / "cert.pem"; }
  /// A file of the same folder.
  std::string file(const char* name) const { return folder_ / name; }

 private:
  std::filesystem::path folder_;
};

inline const own_certificate& certificate() {
  static const own_certificate one;
  return one;
}

}  // namespace tls_files
