// SPDX-License-Identifier: Apache-2.0
// See device_key.hpp. Keys are Mbed TLS's; random numbers come from PSA, which asks getrandom(2).
#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_csr.h>
#include <psa/crypto.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "agent/identity/key_mbedtls.hpp"
#include "agent/link/credential_file.hpp"
#include "agent/link/tls_mbedtls.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

/// RSA 4096 with all its numbers takes 3,300 bytes as PEM.
constexpr std::size_t kPemBytesMax = 8'192;

/// PEM of a private key; wiped when it goes.
class SecretText {
 public:
  SecretText() : bytes_(kPemBytesMax) {}
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { explicit_bzero(bytes_.data(), bytes_.size()); }
  unsigned char* bytes() noexcept { return bytes_.data(); }
  std::size_t size() const noexcept { return bytes_.size(); }
  std::string_view text() const noexcept { return reinterpret_cast<const char*>(bytes_.data()); }

 private:
  std::vector<unsigned char> bytes_;
};

Result<void> prepare_random_numbers() {
  if (psa_crypto_init() == PSA_SUCCESS) return {};
  return Error{ErrorKind::Unavailable, "the system gives no random numbers, so no key can be made"};
}

int generate_into(mbedtls_pk_context& key, KeyKind kind) {
  constexpr unsigned kRsaBits = 2'048;
  constexpr int kRsaExponent = 65'537;
  const auto type = kind == KeyKind::rsa2048 ? MBEDTLS_PK_RSA : MBEDTLS_PK_ECKEY;
  if (const int code = mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(type)); code != 0) return code;
  if (kind == KeyKind::rsa2048) {
    return mbedtls_rsa_gen_key(mbedtls_pk_rsa(key), mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE, kRsaBits, kRsaExponent);
  }
  const auto curve = kind == KeyKind::p256 ? MBEDTLS_ECP_DP_SECP256R1 : MBEDTLS_ECP_DP_SECP384R1;
  return mbedtls_ecp_gen_key(curve, mbedtls_pk_ec(key), mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
}

}  // namespace

DeviceKey::DeviceKey(std::unique_ptr<Kept> kept) : kept_{std::move(kept)} {}
DeviceKey::DeviceKey(DeviceKey&&) noexcept = default;
DeviceKey& DeviceKey::operator=(DeviceKey&&) noexcept = default;
DeviceKey::~DeviceKey() = default;

Result<DeviceKey> DeviceKey::generate(KeyKind kind) {
  TRY(prepare_random_numbers());
  auto kept = std::make_unique<Kept>();
  if (const int code = generate_into(kept->key, kind); code != 0) {
    return Error{ErrorKind::Unavailable, "the key could not be made: " + mbedtls_text(code)};
  }
  return DeviceKey{std::move(kept)};
}

Result<DeviceKey> DeviceKey::read(const std::string& path) {
  TRY(prepare_random_numbers());
  const auto file = TRY(CredentialFile::read("key", path, CredentialFile::Kind::secret));
  auto kept = std::make_unique<Kept>();
  const int code = mbedtls_pk_parse_key(&kept->key, file.bytes(), file.size_for_parser(), nullptr, 0, mbedtls_psa_get_random,
                                        MBEDTLS_PSA_RANDOM_STATE);
  if (code != 0) return Error{ErrorKind::Malformed, path + " holds no private key that can be read (" + mbedtls_text(code) + ")"};
  return DeviceKey{std::move(kept)};
}

Result<void> DeviceKey::write(const std::string& path) const {
  SecretText pem;
  if (const int code = mbedtls_pk_write_key_pem(&kept_->key, pem.bytes(), pem.size()); code != 0) {
    return Error{ErrorKind::Bug, "the key could not be written as PEM: " + mbedtls_text(code)};
  }
  return replace_file_durably(path, pem.text(), 0600);
}

Result<std::string> DeviceKey::signing_request(const std::string& subject) const {
  struct Request : mbedtls_x509write_csr {
    Request() { mbedtls_x509write_csr_init(this); }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;
    ~Request() { mbedtls_x509write_csr_free(this); }
  } request;
  mbedtls_x509write_csr_set_key(&request, &kept_->key);
  mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
  if (subject.empty() || mbedtls_x509write_csr_set_subject_name(&request, subject.c_str()) != 0) {
    return Error{ErrorKind::OutOfRange, "\"" + subject + "\" is no subject; write it like \"CN=gateway-1,O=Acme,C=DE\""};
  }
  int code = mbedtls_x509write_csr_set_key_usage(&request, MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
  std::vector<unsigned char> pem(kPemBytesMax);
  if (code == 0) {
    code = mbedtls_x509write_csr_pem(&request, pem.data(), pem.size(), mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
  }
  if (code != 0) return Error{ErrorKind::OutOfRange, "the signing request could not be made: " + mbedtls_text(code)};
  return std::string{reinterpret_cast<const char*>(pem.data())};
}

bool same_request(const std::string& one, const std::string& other) {
  struct Parsed : mbedtls_x509_csr {
    explicit Parsed(const std::string& pem) {
      mbedtls_x509_csr_init(this);
      const auto* bytes = reinterpret_cast<const unsigned char*>(pem.c_str());
      std::vector<unsigned char> der(kPemBytesMax);
      if (mbedtls_x509_csr_parse(this, bytes, pem.size() + 1) != 0) return;
      const int length = mbedtls_pk_write_pubkey_der(&pk, der.data(), der.size());  // at the end of the buffer
      if (length <= 0) return;
      asks.assign(subject_raw.p, subject_raw.p + subject_raw.len);
      asks.insert(asks.end(), der.end() - length, der.end());
    }
    Parsed(const Parsed&) = delete;
    Parsed& operator=(const Parsed&) = delete;
    ~Parsed() { mbedtls_x509_csr_free(this); }
    std::vector<unsigned char> asks;  ///< subject and key; empty if it is no request
  };
  const Parsed first{one};
  return !first.asks.empty() && first.asks == Parsed{other}.asks;
}

}  // namespace fieldpost
