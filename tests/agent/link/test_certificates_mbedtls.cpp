// SPDX-License-Identifier: Apache-2.0
#include "tests/agent/link/test_certificates_mbedtls.hpp"

#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

extern "C" {
#include <mbedtls/psa_util.h>
}

#include <array>
#include <cstdlib>

namespace fieldpost {

namespace {

void must(int code) {
  if (code < 0) std::abort();  // a test without its certificates cannot go on
}

struct Key {
  Key() { mbedtls_pk_init(&context); }
  ~Key() { mbedtls_pk_free(&context); }
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  mbedtls_pk_context context;
};

}  // namespace

TestCertificate make_test_certificate(const TestCertificateRequest& request, const TestCertificate* issuer,
                                      const std::string& issuer_name) {
  must(psa_crypto_init());
  Key key;
  must(mbedtls_pk_setup(&key.context, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)));
  must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key.context), mbedtls_psa_get_random,
                           MBEDTLS_PSA_RANDOM_STATE));
  Key issuer_key;
  if (issuer != nullptr) {
    must(mbedtls_pk_parse_key(&issuer_key.context, reinterpret_cast<const unsigned char*>(issuer->key.c_str()),
                              issuer->key.size() + 1, nullptr, 0, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE));
  }

  mbedtls_x509write_cert certificate;
  mbedtls_x509write_crt_init(&certificate);
  mbedtls_x509write_crt_set_version(&certificate, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(&certificate, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(&certificate, &key.context);
  mbedtls_x509write_crt_set_issuer_key(&certificate, issuer != nullptr ? &issuer_key.context : &key.context);
  must(mbedtls_x509write_crt_set_subject_name(&certificate, request.name.c_str()));
  must(mbedtls_x509write_crt_set_issuer_name(&certificate, issuer != nullptr ? issuer_name.c_str() : request.name.c_str()));
  must(mbedtls_x509write_crt_set_validity(&certificate, request.not_before.c_str(), request.not_after.c_str()));
  std::array<unsigned char, 8> serial{};
  must(mbedtls_psa_get_random(MBEDTLS_PSA_RANDOM_STATE, serial.data(), serial.size()));
  serial[0] &= 0x7FU;
  must(mbedtls_x509write_crt_set_serial_raw(&certificate, serial.data(), serial.size()));
  must(mbedtls_x509write_crt_set_basic_constraints(&certificate, request.authority ? 1 : 0, -1));
  mbedtls_x509_san_list san{};
  std::string dns_name = request.dns_name;
  if (!dns_name.empty()) {
    san.node.type = MBEDTLS_X509_SAN_DNS_NAME;
    san.node.san.unstructured_name.p = reinterpret_cast<unsigned char*>(dns_name.data());
    san.node.san.unstructured_name.len = dns_name.size();
    must(mbedtls_x509write_crt_set_subject_alternative_name(&certificate, &san));
  }
  std::array<unsigned char, 4096> pem{};
  must(mbedtls_x509write_crt_pem(&certificate, pem.data(), pem.size(), mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE));
  mbedtls_x509write_crt_free(&certificate);
  TestCertificate made;
  made.certificate = reinterpret_cast<const char*>(pem.data());
  must(mbedtls_pk_write_key_pem(&key.context, pem.data(), pem.size()));
  made.key = reinterpret_cast<const char*>(pem.data());
  return made;
}

}  // namespace fieldpost
