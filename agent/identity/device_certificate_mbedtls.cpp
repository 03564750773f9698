// SPDX-License-Identifier: Apache-2.0
// See device_certificate.hpp.
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include <array>

#include "agent/identity/device_certificate.hpp"
#include "agent/identity/key_mbedtls.hpp"
#include "agent/link/tls_mbedtls.hpp"

namespace fieldpost {
namespace {

class Chain {
 public:
  Chain() { mbedtls_x509_crt_init(&first_); }
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;
  ~Chain() { mbedtls_x509_crt_free(&first_); }

  /// Errors: Malformed
  Result<void> parse(const std::string& pem) {
    // PEM counts its final NUL.
    const int code = mbedtls_x509_crt_parse(&first_, reinterpret_cast<const unsigned char*>(pem.c_str()), pem.size() + 1);
    if (code == 0 && first_.raw.p != nullptr) return {};
    return Error{ErrorKind::Malformed, code > 0 ? std::to_string(code) + " of the certificates cannot be read"
                                                : "no PEM certificate (" + mbedtls_text(code) + ")"};
  }
  mbedtls_x509_crt& first() noexcept { return first_; }

 private:
  mbedtls_x509_crt first_{};
};

/// mbedTLS writes into a buffer and says how much; a name that does not fit is cut.
template <typename Write>
std::string text_of(Write write) {
  std::array<char, 512> text{};
  const int length = write(text.data(), text.size());
  return length > 0 ? std::string(text.data(), static_cast<std::size_t>(length)) : "?";
}

}  // namespace

Result<DeviceCertificate> DeviceCertificate::parse(const std::string& chain_pem) {
  Chain chain;
  TRY(chain.parse(chain_pem));
  const mbedtls_x509_crt& leaf = chain.first();
  return DeviceCertificate{
      .subject = text_of([&](char* at, std::size_t size) { return mbedtls_x509_dn_gets(at, size, &leaf.subject); }),
      .issuer = text_of([&](char* at, std::size_t size) { return mbedtls_x509_dn_gets(at, size, &leaf.issuer); }),
      .serial = text_of([&](char* at, std::size_t size) { return mbedtls_x509_serial_gets(at, size, &leaf.serial); }),
      .not_before = to_utc(leaf.valid_from),
      .not_after = to_utc(leaf.valid_to)};
}

Result<void> check_belongs(const std::string& chain_pem, const DeviceKey& key) {
  Chain chain;
  TRY(chain.parse(chain_pem));
  mbedtls_x509_crt& leaf = chain.first();
  if (mbedtls_pk_check_pair(&leaf.pk, &key.kept().key, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE) != 0) {
    return Error{ErrorKind::Denied,
                 "the first certificate was made for another key; the device's own must come first, made from its latest request"};
  }
  if (mbedtls_x509_crt_get_ca_istrue(&leaf) == 1) {
    return Error{ErrorKind::Denied, "the first certificate is an authority's; a device's is wanted"};
  }
  // Without that extension it is for everything.
  if (mbedtls_x509_crt_has_ext_type(&leaf, MBEDTLS_X509_EXT_EXTENDED_KEY_USAGE) != 0 &&
      mbedtls_x509_crt_check_extended_key_usage(&leaf, MBEDTLS_OID_CLIENT_AUTH, MBEDTLS_OID_SIZE(MBEDTLS_OID_CLIENT_AUTH)) != 0) {
    return Error{ErrorKind::Denied, "the certificate is not for clients (extended key usage); the broker would refuse it"};
  }
  return {};
}

}  // namespace fieldpost
