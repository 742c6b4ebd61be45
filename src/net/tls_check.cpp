#include "net/tls_check.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <boost/asio/ssl/error.hpp>
#include <ctime>
#include <memory>
#include <string_view>

#include "net/certificate.hpp"

namespace oslo::messaging::net {
namespace {

/// Names of a certificate in one sentence.
constexpr int max_names = 8;
/// Bytes of one name in it.
constexpr std::size_t max_name = 200;

/// The broker wrote it, or whoever poses as the broker.
std::string printable(std::string_view text) {
  std::string shown(text.substr(0, max_name));
  for (auto& c : shown)
    if (c < ' ' || c > '~') c = '?';
  return text.size() > max_name ? shown + "..." : shown;
}

/// As "CN=store,O=example".
std::string text_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, decltype(&::BIO_free)> out(::BIO_new(::BIO_s_mem()), &::BIO_free);
  char* begin = nullptr;
  if (!out || ::X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return "?";
  const auto size = BIO_get_mem_data(out.get(), &begin);
  return size > 0 ? printable({begin, static_cast<std::size_t>(size)}) : "nobody (no subject)";
}

std::string text_of(const ASN1_TIME* time) {
  std::tm utc{};
  return ::ASN1_TIME_to_tm(time, &utc) == 1 ? utc_text(utc) : "a time that cannot be read";
}

/// The day alone: a text that changed with every try would be logged at every try.
std::string today() {
  return utc_date(std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()));
}

std::string text_of(const GENERAL_NAME& name) {
  const auto bytes = [](const ASN1_STRING* s) {
    return std::string_view(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(s)),
                            static_cast<std::size_t>(::ASN1_STRING_length(s)));
  };
  if (name.type == GEN_DNS) return printable(bytes(name.d.dNSName));
  if (name.type != GEN_IPADD) return {};
  const auto raw = bytes(name.d.iPAddress);
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = raw.size() == 4 ? AF_INET : AF_INET6;
  if ((raw.size() != 4 && raw.size() != 16) ||
      ::inet_ntop(family, raw.data(), text.data(), text.size()) == nullptr)
    return "an address that cannot be read";
  return text.data();
}

/// The hosts that a certificate is for.
std::string names_in(X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&::GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(
          ::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)),
      &::GENERAL_NAMES_free);
  std::string all;
  int told = 0, more = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto one = text_of(*sk_GENERAL_NAME_value(names.get(), i));
    if (one.empty()) continue;
    if (told == max_names) {
      ++more;
      continue;
    }
    all += (told++ == 0 ? "" : ", ") + one;
  }
  if (more > 0) all += " and " + std::to_string(more) + " more";
  return all.empty() ? text_of(::X509_get_subject_name(certificate)) : all;
}

/// Alerts that speak of a broker in trouble, of damaged bytes, or of a mistake in a program: the
/// next handshake may go well. All others (RFC 8446, 6.2) are about what the two sides demand.
bool may_pass(int alert) {
  switch (alert) {
    case SSL3_AD_UNEXPECTED_MESSAGE:
    case SSL3_AD_BAD_RECORD_MAC:
    case TLS1_AD_DECRYPTION_FAILED:
    case TLS1_AD_RECORD_OVERFLOW:
    case SSL3_AD_DECOMPRESSION_FAILURE:
    case SSL3_AD_ILLEGAL_PARAMETER:
    case TLS1_AD_DECODE_ERROR:
    case TLS1_AD_DECRYPT_ERROR:
    case TLS1_AD_INTERNAL_ERROR:
    case TLS1_AD_USER_CANCELLED:
    case TLS1_AD_NO_RENEGOTIATION: return true;
    default: return false;
  }
}

/// What this side found, and what other bytes would not have brought about.
bool is_damage(int reason) {
  switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_UNEXPECTED_RECORD:
    case SSL_R_LENGTH_MISMATCH:
    case SSL_R_LENGTH_TOO_SHORT:
    case SSL_R_BAD_LENGTH:
    case SSL_R_BAD_PACKET:
    case SSL_R_BAD_EXTENSION:
    case SSL_R_BAD_SIGNATURE:
    case SSL_R_BAD_KEY_SHARE:
    case SSL_R_BAD_CHANGE_CIPHER_SPEC:
    case SSL_R_DIGEST_CHECK_FAILED:
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
    case SSL_R_DATA_LENGTH_TOO_LONG:
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case ERR_R_INTERNAL_ERROR:
    case ERR_R_MALLOC_FAILURE: return true;
    default: return false;
  }
}

bool is_of_openssl(const boost::system::error_code& ec) {
  return ec.category() == boost::asio::error::get_ssl_category();
}

int reason_of(const boost::system::error_code& ec) {
  return ERR_GET_REASON(static_cast<unsigned long>(ec.value()));
}

/// 0 when it is none of the peer's.
int alert_of(const boost::system::error_code& ec) {
  const bool of_ssl = ERR_GET_LIB(static_cast<unsigned long>(ec.value())) == ERR_LIB_SSL;
  const int alert = reason_of(ec) - SSL_AD_REASON_OFFSET;
  return of_ssl && alert > 0 && alert < 256 ? alert : 0;
}

/// "unknown ca" of "tlsv1 alert unknown ca".
std::string alert_name(const boost::system::error_code& ec) {
  const char* const text = ::ERR_reason_error_string(static_cast<unsigned long>(ec.value()));
  if (text == nullptr) return std::to_string(alert_of(ec));
  std::string_view name(text);
  name.remove_prefix(name.find(' ') + 1);  // the version that had it first
  if (name.starts_with("alert ")) name.remove_prefix(6);
  return std::string(name);
}

}  // namespace

bool tls_check::prepare(SSL* ssl, const endpoint& host) {
  host_ = wanted_ = host;
  if (!options_.peer_name.empty()) wanted_.host = options_.peer_name;
  // The dot behind a complete name is DNS's: certificates and SNI do without (RFC 6066, 3).
  auto asked = wanted_.host;
  if (asked.size() > 1 && asked.ends_with('.')) asked.pop_back();
  const auto* const name = asked.c_str();
  // Called when the broker asks; the answer is what the context holds.
  ::SSL_set_cert_cb(
      ssl,
      [](SSL*, void* self) {
        static_cast<tls_check*>(self)->asked_for_certificate_ = true;
        return 1;
      },
      this);
  if (!wanted_.is_literal()) SSL_set_tlsext_host_name(ssl, name);
  if (options_.check != peer_check::chain_and_name) return true;
  ::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return (wanted_.is_literal() ? ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), name)
                               : ::SSL_set1_host(ssl, name)) == 1;
}

bool tls_check::on_certificate(bool accepted, boost::asio::ssl::verify_context& chain) {
  if (accepted || !wrong_.empty()) return accepted;
  auto* const store = chain.native_handle();
  const int error = ::X509_STORE_CTX_get_error(store);
  auto* const certificate = ::X509_STORE_CTX_get_current_cert(store);
  wrong_ = ::X509_verify_cert_error_string(error);
  if (certificate == nullptr) return false;
  const auto whose = "the certificate of " + text_of(::X509_get_subject_name(certificate));
  const auto trusted = options_.ca_file.empty() ? std::string("the system's certificates")
                                                : "ssl_ca_file " + options_.ca_file;
  switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      wrong_ = "the certificate is not for " + wanted_.host + ", but for " + names_in(certificate);
      break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
      wrong_ = whose + " has expired on " + text_of(::X509_get0_notAfter(certificate)) +
               ", and today is " + today();
      break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      wrong_ = whose + " is not valid before " + text_of(::X509_get0_notBefore(certificate)) +
               ", and today is " + today();
      break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      wrong_ = whose + " is self-signed, and not in " + trusted;
      break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      wrong_ = whose + " was signed by " + text_of(::X509_get_issuer_name(certificate)) +
               ", whose own is not in " + trusted;
      break;
    default: wrong_ = whose + " is refused: " + wrong_;
  }
  return false;
}

std::string tls_check::alert_text(int alert, const std::string& name) const {
  const auto said = "the broker refused, with the alert \"" + name + "\"";
  if (alert == TLS1_AD_PROTOCOL_VERSION)
    return said + ": it speaks no version of TLS that is allowed here (" +
           (options_.only_1_2 ? "1.2 only, because of ssl_version" : "1.2 or newer") + ")";
  if (!asked_for_certificate_) return said;
  if (options_.cert_file.empty())
    return said + ": it asks for a client certificate, and ssl_cert_file is not set";
  return said + ": it asked for a client certificate and got that of ssl_cert_file " +
         options_.cert_file;
}

std::optional<failure> tls_check::refusal(SSL* ssl, const boost::system::error_code& ec) const {
  if (!is_of_openssl(ec)) return std::nullopt;
  std::string why;
  if (const int alert = alert_of(ec); alert != 0) {
    if (may_pass(alert)) return std::nullopt;
    why = alert_text(alert, alert_name(ec));
  } else if (is_damage(reason_of(ec))) {
    return std::nullopt;
  } else if (reason_of(ec) == SSL_R_WRONG_VERSION_NUMBER &&
             ::SSL_get_state(ssl) == TLS_ST_CW_CLNT_HELLO) {
    why = "what answers there does not speak TLS; is that a plain port?";
  } else if (reason_of(ec) == SSL_R_WRONG_VERSION_NUMBER) {
    return std::nullopt;  // it did speak TLS before
  } else if (reason_of(ec) == SSL_R_UNSUPPORTED_PROTOCOL) {
    why = std::string("the broker speaks a version of TLS that is not allowed here (") +
          (options_.only_1_2 ? "1.2 only, because of ssl_version" : "1.2 or newer") + ")";
  } else if (reason_of(ec) == SSL_R_CERTIFICATE_VERIFY_FAILED && !wrong_.empty()) {
    why = wrong_;
  } else {
    why = ec.message();
  }
  return failure(errc::tls_failed, "TLS with " + host_.text() + " failed: " + why);
}

std::string tls_check::words(const boost::system::error_code& ec) {
  if (is_of_openssl(ec) && alert_of(ec) != 0)
    return "the broker sent the alert \"" + alert_name(ec) + "\"";
  return ec.message();
}

}  // namespace oslo::messaging::net
