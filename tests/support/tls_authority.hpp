// Certificates of every kind, made in the process.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace tls_files {

struct wish {
  std::string name;        ///< the subject's common name
  std::string hosts = "";  ///< as subjectAltName wants them; empty: the extension is left out
  long from_seconds = -3600;
  long until_seconds = 3600;  ///< both from now
};

struct identity {
  std::string certificate, key;  ///< files
};

/// Files live in a folder of the test.
class authority {
 public:
  authority(std::filesystem::path folder, const std::string& name)
      : folder_(std::move(folder)), name_(name) {
    std::filesystem::create_directories(folder_);
    key_ = make_key();
    self_ = make({.name = name}, *key_, true);
    write_certificate(file(), *self_);
  }
  std::string file() const { return folder_ / (name_ + ".pem"); }

  identity sign(const wish& w) const {
    const auto key = make_key();
    return store(*make(w, *key, false), *key);
  }
  /// The same, but signed by itself.
  identity self_signed(const wish& w) const {
    const auto key = make_key();
    const auto made = blank(w, *key);
    check(::X509_set_issuer_name(made.get(), ::X509_get_subject_name(made.get())));
    check(::X509_sign(made.get(), key.get(), ::EVP_sha256()));
    return store(*made, *key);
  }

 private:
  using key_ptr = std::shared_ptr<EVP_PKEY>;
  using certificate_ptr = std::shared_ptr<X509>;

  static void check(int done) {
    if (done <= 0) throw std::runtime_error("OpenSSL made no certificate");
  }
  static key_ptr make_key() { return {::EVP_EC_gen("P-256"), &::EVP_PKEY_free}; }

  static void extend(X509& to, X509* issuer, int what, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, &to, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, decltype(&::X509_EXTENSION_free)> made(
        ::X509V3_EXT_conf_nid(nullptr, &context, what, value.c_str()), &::X509_EXTENSION_free);
    check(made ? ::X509_add_ext(&to, made.get(), -1) : 0);
  }

  static certificate_ptr blank(const wish& w, EVP_PKEY& key) {
    certificate_ptr made(::X509_new(), &::X509_free);
    static long serial = 0;
    check(::X509_set_version(made.get(), 2));
    check(::ASN1_INTEGER_set(::X509_get_serialNumber(made.get()), ++serial));
    ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), w.from_seconds);
    ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), w.until_seconds);
    check(::X509_NAME_add_entry_by_txt(::X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                                       reinterpret_cast<const unsigned char*>(w.name.data()),
                                       static_cast<int>(w.name.size()), -1, 0));
    check(::X509_set_pubkey(made.get(), &key));
    if (!w.hosts.empty()) extend(*made, nullptr, NID_subject_alt_name, w.hosts);
    return made;
  }

  certificate_ptr make(const wish& w, EVP_PKEY& key, bool is_authority) const {
    auto made = blank(w, key);
    auto* const issuer = is_authority ? made.get() : self_.get();
    check(::X509_set_issuer_name(made.get(), ::X509_get_subject_name(issuer)));
    extend(*made, issuer, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "CA:FALSE");
    check(::X509_sign(made.get(), key_.get(), ::EVP_sha256()));
    return made;
  }

  static void write_certificate(const std::string& path, X509& what) {
    const std::unique_ptr<FILE, decltype(&std::fclose)> to(std::fopen(path.c_str(), "w"),
                                                           &std::fclose);
    check(to ? ::PEM_write_X509(to.get(), &what) : 0);
  }
  identity store(X509& certificate, EVP_PKEY& key) const {
    // Names of certificates may be hostile, those of files may not.
    static int number = 0;
    const auto base = (folder_ / ("signed-" + std::to_string(++number))).string();
    write_certificate(base + ".pem", certificate);
    const std::unique_ptr<FILE, decltype(&std::fclose)> to(std::fopen((base + ".key").c_str(), "w"),
                                                           &std::fclose);
    check(to ? ::PEM_write_PrivateKey(to.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) : 0);
    return {base + ".pem", base + ".key"};
  }

  std::filesystem::path folder_;
  std::string name_;
  key_ptr key_;
  certificate_ptr self_;
};

}  // namespace tls_files
