#include "net/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>

#include <ctime>
#include <memory>

namespace oslo::messaging::net {

std::optional<std::chrono::sys_seconds> valid_until(const X509& certificate) {
  std::tm end{};
  if (::ASN1_TIME_to_tm(::X509_get0_notAfter(&certificate), &end) != 1) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&end)));
}

std::optional<std::chrono::sys_seconds> valid_until(const std::string& file) {
  const std::unique_ptr<BIO, int (*)(BIO*)> in(::BIO_new_file(file.c_str(), "r"), ::BIO_free);
  if (!in) return std::nullopt;
  const std::unique_ptr<X509, void (*)(X509*)> first(
      ::PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr), ::X509_free);
  return first ? valid_until(*first) : std::nullopt;
}

}  // namespace oslo::messaging::net
