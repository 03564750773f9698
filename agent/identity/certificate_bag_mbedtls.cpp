// SPDX-License-Identifier: Apache-2.0
// See certificate_bag.hpp. mbedTLS's own PKCS#7 wants a signer, which these have not; so the few tags around the
// certificates are walked here, DER only.
#include <mbedtls/asn1.h>
#include <mbedtls/base64.h>
#include <mbedtls/oid.h>
#include <mbedtls/pem.h>
#include <mbedtls/x509_crt.h>

#include <array>
#include <cstring>
#include <vector>

#include "agent/identity/certificate_bag.hpp"
#include "agent/link/tls_mbedtls.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kBagBytesMax = 256U << 10U;
constexpr int kCertificatesMax = 20;

struct Certificates {
  Certificates() { mbedtls_x509_crt_init(&first); }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;
  ~Certificates() { mbedtls_x509_crt_free(&first); }

  mbedtls_x509_crt first{};
  int count = 0;
};

Error malformed(int code) { return Error{ErrorKind::Malformed, "no PKCS#7 with certificates (" + mbedtls_text(code) + ")"}; }

/// Into the element that has to come here; `end` becomes its end.
Result<void> enter(unsigned char*& at, const unsigned char*& end, int tag) {
  std::size_t length = 0;
  if (const int code = mbedtls_asn1_get_tag(&at, end, &length, tag); code != 0) return malformed(code);
  end = at + length;
  return {};
}

/// Past it.
Result<void> skip(unsigned char*& at, const unsigned char* end, int tag) {
  std::size_t length = 0;
  if (const int code = mbedtls_asn1_get_tag(&at, end, &length, tag); code != 0) return malformed(code);
  at += length;
  return {};
}

constexpr int kSequence = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE;
constexpr int kSet = MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SET;
constexpr int kFirstOwn = MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED;

/// Errors: Malformed
Result<void> read_bag(const std::string& base64, Certificates& into) {
  if (base64.size() > kBagBytesMax) return Error{ErrorKind::Malformed, "PKCS#7 of more than 256 KiB"};
  std::vector<unsigned char> der(base64.size());
  std::size_t size = 0;
  const auto* text = reinterpret_cast<const unsigned char*>(base64.data());
  if (const int code = mbedtls_base64_decode(der.data(), der.size(), &size, text, base64.size()); code != 0) return malformed(code);

  unsigned char* at = der.data();
  const unsigned char* end = at + size;
  TRY(enter(at, end, kSequence));  // ContentInfo
  std::size_t length = 0;
  if (const int code = mbedtls_asn1_get_tag(&at, end, &length, MBEDTLS_ASN1_OID); code != 0) return malformed(code);
  constexpr std::string_view kSignedData{MBEDTLS_OID_PKCS7_SIGNED_DATA, sizeof MBEDTLS_OID_PKCS7_SIGNED_DATA - 1};
  if (std::string_view{reinterpret_cast<const char*>(at), length} != kSignedData) return Error{ErrorKind::Malformed, "a PKCS#7 of another kind"};
  at += length;
  TRY(enter(at, end, kFirstOwn));
  TRY(enter(at, end, kSequence));  // SignedData
  TRY(skip(at, end, MBEDTLS_ASN1_INTEGER));
  TRY(skip(at, end, kSet));        // digest algorithms: none
  TRY(skip(at, end, kSequence));   // what is signed: nothing
  TRY(enter(at, end, kFirstOwn));  // certificates
  while (at < end) {
    unsigned char* const begin = at;
    TRY(skip(at, end, kSequence));
    if (++into.count > kCertificatesMax) return Error{ErrorKind::Malformed, "a PKCS#7 of more than 20 certificates"};
    if (const int code = mbedtls_x509_crt_parse_der(&into.first, begin, static_cast<std::size_t>(at - begin)); code != 0) return malformed(code);
  }
  return {};
}

bool same(const mbedtls_x509_buf& one, const mbedtls_x509_buf& other) {
  return one.len == other.len && std::memcmp(one.p, other.p, one.len) == 0;
}

Result<void> append_pem(std::string& chain, const mbedtls_x509_crt& certificate) {
  std::string text(certificate.raw.len * 2 + 128, '\0');
  std::size_t length = 0;
  const int code = mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", certificate.raw.p, certificate.raw.len,
                                            reinterpret_cast<unsigned char*>(text.data()), text.size(), &length);
  if (code != 0) return malformed(code);
  chain.append(text, 0, length - 1);  // without its NUL
  return {};
}

}  // namespace

Result<std::string> chain_from_bags(const std::string& issued, const std::string& authorities) {
  Certificates all;
  TRY(read_bag(issued, all).with_context("the issued certificate"));
  const mbedtls_x509_crt* own = nullptr;
  for (const mbedtls_x509_crt* one = &all.first; one != nullptr && all.count > 0; one = one->next) {
    if (mbedtls_x509_crt_get_ca_istrue(one) == 1) continue;
    if (own != nullptr) return Error{ErrorKind::Malformed, "the issued certificate: there are two of devices"};
    own = one;
  }
  if (own == nullptr) return Error{ErrorKind::Malformed, "the issued certificate: none of a device is there"};
  all.count = 0;
  TRY(read_bag(authorities, all).with_context("the authority's certificates"));
  std::string chain;
  const mbedtls_x509_crt* next = own;
  for (int length = 0; next != nullptr && length < kCertificatesMax; ++length) {
    TRY(append_pem(chain, *next));
    const mbedtls_x509_crt* issuer = &all.first;
    while (issuer != nullptr && (!same(issuer->subject_raw, next->issuer_raw) || same(issuer->subject_raw, issuer->issuer_raw))) issuer = issuer->next;
    next = issuer;
  }
  return chain;
}

}  // namespace fieldpost
