// SPDX-License-Identifier: Apache-2.0
// See tls_settings.hpp.
#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_time.h>
#include <psa/crypto.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <array>
#include <chrono>

#include "agent/link/credential_file.hpp"
#include "agent/link/tls_mbedtls.hpp"
#include "agent/link/tls_settings.hpp"

namespace fieldpost {

namespace {

/// Where distributions keep their bundle: Debian and Alpine, Fedora, OpenSUSE, OpenWrt and BSD.
constexpr const char* kSystemBundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                          "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

/// The clock of the MbedtlsTimeScope that encloses us; mbedTLS's hook has no context of its own.
thread_local const Clock* scope_clock = nullptr;

mbedtls_time_t time_of_scope(mbedtls_time_t* out) {
  const auto seconds_now =
      scope_clock != nullptr
          ? std::chrono::floor<seconds>(scope_clock->utc_above_floor().time).time_since_epoch().count()
          : std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  const auto now = static_cast<mbedtls_time_t>(seconds_now);
  if (out != nullptr) *out = now;
  return now;
}

Result<void> prepare_library() {
  // Both are idempotent, so no state of ours is needed.
  mbedtls_platform_set_time(time_of_scope);
  if (psa_crypto_init() != PSA_SUCCESS) {
    return Error{ErrorKind::Unavailable, "the system gives no random numbers, so TLS cannot start"};
  }
  return {};
}

Result<std::string> system_bundle() {
  for (const char* path : kSystemBundles) {
    if (!file_stamp(path).empty()) return std::string{path};
  }
  return Error{ErrorKind::NotPresent,
               "ca_file: not set, and this system has no bundle of authorities; name the broker's CA certificate"};
}

Error unreadable(std::string_view option, const std::string& path, const std::string& what, int code) {
  return Error{ErrorKind::Malformed,
               std::string{option} + ": " + path + " holds no " + what + " that can be read (" + mbedtls_text(code) + ")"};
}

Result<void> load_authorities(TlsSettings::Loaded& loaded) {
  const auto file = TRY(CredentialFile::read("ca_file", loaded.ca_path, CredentialFile::Kind::open_to_all));
  const int code = mbedtls_x509_crt_parse(&loaded.authorities, file.bytes(), file.size_for_parser());
  // A bundle may hold some that mbedTLS cannot read (Ed25519, say); that is fine if any is left.
  if (code < 0 || loaded.authorities.raw.p == nullptr) {
    return unreadable("ca_file", loaded.ca_path, "certificate", code);
  }
  return {};
}

Result<void> load_revoked(TlsSettings::Loaded& loaded) {
  if (loaded.crl_path.empty()) return {};
  const auto file = TRY(CredentialFile::read("crl_file", loaded.crl_path, CredentialFile::Kind::open_to_all));
  const int code = mbedtls_x509_crl_parse(&loaded.revoked, file.bytes(), file.size_for_parser());
  if (code != 0) return unreadable("crl_file", loaded.crl_path, "revocation list", code);
  return {};
}

Error key_error(const LinkOptions& options, int code) {
  const auto told = "key_file: " + options.key_file + " ";
  if (code == MBEDTLS_ERR_PK_PASSWORD_REQUIRED) {
    return Error{ErrorKind::Denied, told + "is encrypted; set key_password_file"};
  }
  if (code == MBEDTLS_ERR_PK_PASSWORD_MISMATCH) {
    return Error{ErrorKind::Denied, told + "is encrypted with another password than the one in key_password_file"};
  }
  if (code == MBEDTLS_ERR_PEM_UNKNOWN_ENC_ALG || code == MBEDTLS_ERR_PEM_FEATURE_UNAVAILABLE ||
      code == MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE) {
    return Error{ErrorKind::Malformed,
                 told + "uses an old encryption or an unknown kind of key; convert it: openssl pkcs8 -topk8 -in OLD -out NEW"};
  }
  return unreadable("key_file", options.key_file, "private key (PKCS#8, SEC1 or PKCS#1)", code);
}

Result<void> load_own(TlsSettings::Loaded& loaded, const LinkOptions& options) {
  if (options.certificate_file.empty() && options.key_file.empty()) return {};
  if (options.certificate_file.empty() || options.key_file.empty()) {
    return Error{ErrorKind::OutOfRange, "certificate_file and key_file belong together; one of them is not set"};
  }
  const auto chain =
      TRY(CredentialFile::read("certificate_file", options.certificate_file, CredentialFile::Kind::open_to_all));
  int code = mbedtls_x509_crt_parse(&loaded.own_chain, chain.bytes(), chain.size_for_parser());
  // Of our own chain nothing may be skipped: the broker would miss it.
  if (code != 0) return unreadable("certificate_file", options.certificate_file, "chain of certificates", code);

  const auto key = TRY(CredentialFile::read("key_file", options.key_file, CredentialFile::Kind::secret));
  const auto* password = reinterpret_cast<const unsigned char*>(options.key_password.data());
  code = mbedtls_pk_parse_key(&loaded.own_key, key.bytes(), key.size_for_parser(),
                              options.key_password.empty() ? nullptr : password, options.key_password.size(),
                              mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
  if (code != 0) return key_error(options, code);
  code = mbedtls_pk_check_pair(&loaded.own_chain.pk, &loaded.own_key, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
  if (code != 0) {
    return Error{ErrorKind::Denied, "key_file: " + options.key_file + " is not the key of the first certificate in " +
                                        options.certificate_file + "; the device's own certificate must come first"};
  }
  code = mbedtls_ssl_conf_own_cert(&loaded.config, &loaded.own_chain, &loaded.own_key);
  if (code != 0) return Error{ErrorKind::Full, "TLS: " + mbedtls_text(code)};
  return {};
}

Result<void> load_alpn(TlsSettings::Loaded& loaded) {
  if (loaded.alpn.empty()) return {};
  constexpr std::size_t kProtocolsMax = 8;
  if (loaded.alpn.size() > kProtocolsMax) return Error{ErrorKind::OutOfRange, "alpn: more than 8 protocols"};
  for (const auto& protocol : loaded.alpn) loaded.alpn_list.push_back(protocol.c_str());
  loaded.alpn_list.push_back(nullptr);
  const int code = mbedtls_ssl_conf_alpn_protocols(&loaded.config, loaded.alpn_list.data());
  if (code != 0) {
    return Error{ErrorKind::OutOfRange, "alpn: a protocol's name is empty or longer than 255 characters"};
  }
  return {};
}

/// Software AES in constant time is three times as slow as ChaCha20 on a small ARM core, so the
/// order depends on what the processor has.
bool has_aes_instructions() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
  return false;
#endif
}

/// Forward secrecy and authenticated encryption only. mbedTLS's own list would also offer CBC,
/// which is compiled in for encrypted keys.
std::array<int, 10> suites_in_order() {
  constexpr std::array<int, 6> kAes = {
      MBEDTLS_TLS1_3_AES_128_GCM_SHA256,                MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
      MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,  MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
      MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,  MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384};
  constexpr std::array<int, 3> kChaCha = {MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
                                          MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                                          MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256};
  std::array<int, 10> order{};  // the last stays 0
  const bool aes_first = has_aes_instructions();
  std::copy(kAes.begin(), kAes.end(), order.begin() + (aes_first ? 0 : kChaCha.size()));
  std::copy(kChaCha.begin(), kChaCha.end(), order.begin() + (aes_first ? kAes.size() : 0));
  return order;
}

Result<void> configure(TlsSettings::Loaded& loaded) {
  auto* config = &loaded.config;
  const int code =
      mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (code != 0) return Error{ErrorKind::Full, "TLS: " + mbedtls_text(code)};
  const auto wire = [](LinkOptions::TlsVersion version) {
    return version == LinkOptions::TlsVersion::v1_2 ? MBEDTLS_SSL_VERSION_TLS1_2 : MBEDTLS_SSL_VERSION_TLS1_3;
  };
  if (loaded.tls_min > loaded.tls_max) return Error{ErrorKind::OutOfRange, "tls_min is above tls_max; swap them"};
  mbedtls_ssl_conf_min_tls_version(config, wire(loaded.tls_min));
  mbedtls_ssl_conf_max_tls_version(config, wire(loaded.tls_max));
  loaded.suites = suites_in_order();
  mbedtls_ssl_conf_ciphersuites(config, loaded.suites.data());
  mbedtls_ssl_conf_rng(config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
  mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(config,
                                                           MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
  return {};
}

std::string stamps_of(const std::vector<std::string>& paths) {
  std::string stamps;
  for (const auto& path : paths) stamps += file_stamp(path) + '\n';
  return stamps;
}

}  // namespace

std::string mbedtls_text(int code) {
  std::array<char, 160> text{};
  mbedtls_strerror(code, text.data(), text.size());
  return text.data();
}

MbedtlsTimeScope::MbedtlsTimeScope(const Clock& clock) noexcept : before_{scope_clock} { scope_clock = &clock; }
MbedtlsTimeScope::~MbedtlsTimeScope() { scope_clock = before_; }

UtcTime to_utc(const mbedtls_x509_time& time) {
  using namespace std::chrono;
  // Nanoseconds in 64 bits end in 2262, and "for ever" is the year 9999.
  constexpr int kYearMax = 2261;
  if (time.year > kYearMax) return UtcTime::max();
  return sys_days{year{time.year} / month{static_cast<unsigned>(time.mon)} / day{static_cast<unsigned>(time.day)}} +
         hours{time.hour} + minutes{time.min} + seconds{time.sec};
}

TlsSettings::Loaded::Loaded(const LinkOptions& options)
    : tls_min{options.tls_min}, tls_max{options.tls_max}, ca_path{options.ca_file}, crl_path{options.crl_file},
      alpn{options.alpn} {
  mbedtls_x509_crt_init(&authorities);
  mbedtls_x509_crl_init(&revoked);
  mbedtls_x509_crt_init(&own_chain);
  mbedtls_pk_init(&own_key);
  mbedtls_ssl_config_init(&config);
  mbedtls_ssl_session_init(&session);
}

TlsSettings::Loaded::~Loaded() {
  mbedtls_ssl_session_free(&session);
  mbedtls_ssl_config_free(&config);
  mbedtls_pk_free(&own_key);
  mbedtls_x509_crt_free(&own_chain);
  mbedtls_x509_crl_free(&revoked);
  mbedtls_x509_crt_free(&authorities);
}

TlsSettings::TlsSettings(std::unique_ptr<Loaded> loaded) : loaded_{std::move(loaded)} {}
TlsSettings::~TlsSettings() = default;

Result<std::unique_ptr<TlsSettings>> TlsSettings::load(const LinkOptions& options) {
  TRY(prepare_library());
  auto loaded = std::make_unique<Loaded>(options);
  if (loaded->ca_path.empty()) loaded->ca_path = TRY(system_bundle());
  loaded->paths = {loaded->ca_path, options.certificate_file, options.key_file, options.crl_file};
  loaded->stamps = stamps_of(loaded->paths);  // before reading: a change while we read is then seen
  TRY(configure(*loaded));
  TRY(load_authorities(*loaded));
  TRY(load_revoked(*loaded));
  mbedtls_ssl_conf_ca_chain(&loaded->config, &loaded->authorities,
                            loaded->crl_path.empty() ? nullptr : &loaded->revoked);
  TRY(load_own(*loaded, options));
  TRY(load_alpn(*loaded));
  return std::unique_ptr<TlsSettings>{new TlsSettings{std::move(loaded)}};
}

bool TlsSettings::changed_on_disk() const { return stamps_of(loaded_->paths) != loaded_->stamps; }

void TlsSettings::forget_session() {
  mbedtls_ssl_session_free(&loaded_->session);
  mbedtls_ssl_session_init(&loaded_->session);
  loaded_->session_present = false;
}

}  // namespace fieldpost
