// SPDX-License-Identifier: Apache-2.0
// What the files named after mbedTLS share. Nobody else may include it.
#pragma once

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>

extern "C" {  // <mbedtls/psa_util.h> of 3.6 forgets it
#include <mbedtls/psa_util.h>
}

#include <array>
#include <string>
#include <vector>

#include "agent/link/tls_settings.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

/// "-0x2700 X509 - Certificate verification failed", for messages whose cause we do not know.
std::string mbedtls_text(int code);

/// mbedTLS asks one process-wide function for the time; inside this scope, on this thread, it gets
/// `clock`'s, not below its floor. So certificates are judged by the clock that knows whether it may be trusted.
class MbedtlsTimeScope {
 public:
  explicit MbedtlsTimeScope(const Clock& clock) noexcept;
  ~MbedtlsTimeScope();
  MbedtlsTimeScope(const MbedtlsTimeScope&) = delete;
  MbedtlsTimeScope& operator=(const MbedtlsTimeScope&) = delete;

 private:
  const Clock* before_;
};

UtcTime to_utc(const mbedtls_x509_time& time);

/// While all certificates of a chain are valid.
struct CertificateValidity {
  UtcTime not_before = UtcTime::min();
  UtcTime not_after = UtcTime::max();
};

struct TlsSettings::Loaded {
  explicit Loaded(const LinkOptions& options);
  ~Loaded();
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  bool has_own_certificate() const noexcept { return own_chain.raw.p != nullptr; }

  LinkOptions::TlsVersion tls_min;
  LinkOptions::TlsVersion tls_max;
  std::string ca_path;
  std::string crl_path;
  std::vector<std::string> paths;
  std::string stamps;

  mbedtls_x509_crt authorities{};
  mbedtls_x509_crl revoked{};
  mbedtls_x509_crt own_chain{};
  mbedtls_pk_context own_key{};
  mbedtls_ssl_config config{};
  std::array<int, 10> suites{};      // what mbedTLS points to, with its final 0
  std::vector<std::string> alpn;
  std::vector<const char*> alpn_list;  // what mbedTLS points to, with its final null

  /// Present while there is one to resume; `peer_validity` keeps it from outliving the
  /// certificates it was agreed under, which a resumed handshake does not show again.
  mbedtls_ssl_session session{};
  bool session_present = false;
  std::string session_name;
  CertificateValidity peer_validity;
};

}  // namespace fieldpost
