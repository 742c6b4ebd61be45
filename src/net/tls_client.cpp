#include "net/tls_client.hpp"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <utility>

#include "core/tasks/orphan_threads.hpp"

namespace oslo::messaging::net {
namespace {

namespace ssl = boost::asio::ssl;

/// A thread that used OpenSSL hangs or crashes when it ends after OpenSSL has taken itself down,
/// which happens when the program ends, in an order that nobody chose. So OpenSSL stays up where
/// we are its first user, and elsewhere its end waits for the threads that nobody else joins.
void outlive_threads() {
  static const bool once = [] {
    return OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, nullptr) == 1 &&
           OPENSSL_atexit(end_orphans) == 1;
  }();
  (void)once;
}

std::shared_ptr<ssl::context> read_files(const tls_options& o) {
  outlive_threads();
  auto ctx = std::make_shared<ssl::context>(ssl::context::tls_client);
  ctx->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                   ssl::context::no_sslv3 | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  if (o.only_1_2) ctx->set_options(ssl::context::no_tlsv1_3);
  boost::system::error_code ec;
  // OpenSSL would ask on the terminal, and the loop would wait for somebody to type.
  bool encrypted = false;
  ctx->set_password_callback([&](std::size_t, ssl::context::password_purpose) {
    encrypted = true;
    return o.key_password;
  });
  const auto check = [&](const char* what, const std::string& file) {
    if (ec && encrypted)
      throw configuration_error(
          {errc::invalid_config,
           std::string(what) + " " + file +
               (o.key_password.empty() ? " cannot be used: it is encrypted, and "
                                         "there is no option for its password."
                                       : " cannot be used: it is encrypted, and its password is "
                                         "not the one that was given.")});
    if (ec)
      throw configuration_error({errc::invalid_config, std::string(what) + " " + file +
                                                           " cannot be used: " + ec.message()});
  };
  if (!o.ca_file.empty()) {
    ctx->load_verify_file(o.ca_file, ec);
    check("ssl_ca_file", o.ca_file);
  } else if (o.check != peer_check::nothing) {
    ctx->set_default_verify_paths(ec);
    check("the system's certificate store", "");
  }
  if (!o.cert_file.empty()) {
    ctx->use_certificate_chain_file(o.cert_file, ec);
    check("ssl_cert_file", o.cert_file);
    // One file may hold both, as for Python.
    const bool apart = !o.key_file.empty();
    ctx->use_private_key_file(apart ? o.key_file : o.cert_file, ssl::context::pem, ec);
    check(apart ? "ssl_key_file" : "Without ssl_key_file, the key in ssl_cert_file",
          apart ? o.key_file : o.cert_file);
  } else if (!o.key_file.empty()) {
    throw configuration_error(
        {errc::invalid_config, "ssl_key_file " + o.key_file + " needs ssl_cert_file as well."});
  }
  ctx->set_verify_mode(o.check == peer_check::nothing ? ssl::verify_none : ssl::verify_peer);
  ctx->set_password_callback(
      [](std::size_t, ssl::context::password_purpose) { return std::string(); });
  return ctx;
}

}  // namespace

std::vector<tls_client::stamp> tls_client::stamps() const {
  std::vector<stamp> all;
  for (const auto* file : {&options_.ca_file, &options_.cert_file, &options_.key_file}) {
    struct stat s {};
    if (file->empty() || ::stat(file->c_str(), &s) != 0) s = {};
    all.push_back({static_cast<std::int64_t>(s.st_dev), static_cast<std::int64_t>(s.st_ino),
                   static_cast<std::int64_t>(s.st_size), s.st_mtim.tv_sec, s.st_mtim.tv_nsec});
  }
  return all;
}

tls_client::context_ptr tls_client::context() {
  auto now = stamps();  // before the files are read: a change meanwhile is seen the next time
  if (good_ && now == seen_) return good_;
  try {
    good_ = read_files(options_);
  } catch (const configuration_error& e) {
    if (!good_) throw;
    complaint_ = e.failure();
  }
  seen_ = std::move(now);
  return good_;
}

}  // namespace oslo::messaging::net
