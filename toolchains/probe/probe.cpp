// SPDX-License-Identifier: Apache-2.0
//
// Touches every dependency of the shipped binary once, so that a target whose libraries do not build, link or run is noticed
// before any code of ours is suspected, and its size is the floor the agent stands on. Not shipped.

#include <cjson/cJSON.h>
#include <fmt/format.h>
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <mqtt/async_client.h>
#include <netdb.h>
#include <psa/crypto.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <zstd.h>

#include <array>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <toml++/toml.h>

extern "C" {
#include <mbedtls/psa_util.h>  // 3.6 forgets to say that it is C
}

// The agent's link answers these (deps::paho_c says why); the probe only shows that the wrapping works.
extern "C" {
int __real_connect(int descriptor, const sockaddr* address, socklen_t length);
int __wrap_connect(int descriptor, const sockaddr* address, socklen_t length);
int __wrap_getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** result);
void __wrap_freeaddrinfo(addrinfo* list);
}

namespace {

int failures = 0;
int wrapped_lookups = 0;

void check(const char* what, bool passed) {
  fmt::print("{:<34}{}\n", what, passed ? "ok" : "FAILED");
  if (!passed) ++failures;
}

void probe_tls() {
  check("mbedTLS: PSA starts", psa_crypto_init() == PSA_SUCCESS);
  std::array<unsigned char, 32> digest{};
  const std::string abc = "abc";
  mbedtls_sha256(reinterpret_cast<const unsigned char*>(abc.data()), abc.size(), digest.data(), 0);
  check("mbedTLS: SHA-256", digest[0] == 0xba && digest[31] == 0xad);

  mbedtls_pk_context key;
  mbedtls_pk_init(&key);
  check("mbedTLS: P-256 key", mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0 &&
                                  mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(key), mbedtls_psa_get_random,
                                                      MBEDTLS_PSA_RANDOM_STATE) == 0);
  mbedtls_x509write_csr request;
  mbedtls_x509write_csr_init(&request);
  mbedtls_x509write_csr_set_md_alg(&request, MBEDTLS_MD_SHA256);
  mbedtls_x509write_csr_set_key(&request, &key);
  std::array<unsigned char, 2048> pem{};
  const bool named = mbedtls_x509write_csr_set_subject_name(&request, "CN=probe") == 0;
  check("mbedTLS: CSR",
        named && mbedtls_x509write_csr_pem(&request, pem.data(), pem.size(), mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE) == 0);
  mbedtls_x509write_csr_free(&request);

  mbedtls_platform_set_time([](mbedtls_time_t*) -> mbedtls_time_t { return 4'102'444'800; });  // 2100: needs 64-bit time_t
  check("mbedTLS: our clock, past 2038", mbedtls_time(nullptr) == 4'102'444'800);
  mbedtls_platform_set_time(std::time);

  mbedtls_x509_crt chain;
  mbedtls_x509_crt_init(&chain);
  mbedtls_x509_crl revoked;
  mbedtls_x509_crl_init(&revoked);
  check("mbedTLS: bad certificate refused", mbedtls_x509_crt_parse(&chain, pem.data(), 5) < 0 &&
                                                mbedtls_x509_crl_parse(&revoked, pem.data(), 5) < 0);
  mbedtls_ssl_config config;
  mbedtls_ssl_config_init(&config);
  mbedtls_ssl_context tls;
  mbedtls_ssl_init(&tls);
  const bool configured = mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                                      MBEDTLS_SSL_PRESET_DEFAULT) == 0;
  mbedtls_ssl_conf_rng(&config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
  mbedtls_ssl_conf_ca_chain(&config, &chain, &revoked);
  mbedtls_ssl_conf_own_cert(&config, &chain, &key);
  check("mbedTLS: TLS client set up", configured && mbedtls_ssl_setup(&tls, &config) == 0 &&
                                          mbedtls_ssl_set_hostname(&tls, "broker.example") == 0);
  struct Sent {
    size_t bytes = 0;
  } sent;
  mbedtls_ssl_set_bio(
      &tls, &sent,
      [](void* context, const unsigned char*, size_t length) {
        static_cast<Sent*>(context)->bytes += length;
        return static_cast<int>(length);
      },
      [](void*, unsigned char*, size_t) { return MBEDTLS_ERR_SSL_WANT_READ; }, nullptr);
  check("mbedTLS: ClientHello", mbedtls_ssl_handshake(&tls) == MBEDTLS_ERR_SSL_WANT_READ && sent.bytes > 100);
  mbedtls_ssl_free(&tls);
  mbedtls_ssl_config_free(&config);
  mbedtls_x509_crl_free(&revoked);
  mbedtls_x509_crt_free(&chain);
  mbedtls_pk_free(&key);
}

void probe_store() {
  sqlite3* database = nullptr;
  check("SQLite: opens", sqlite3_open(":memory:", &database) == SQLITE_OK);
  check("SQLite: creates, writes",
        sqlite3_exec(database,
                     "CREATE TABLE segment(id INTEGER PRIMARY KEY, body BLOB, lane INTEGER) STRICT;"
                     "INSERT INTO segment(body, lane) VALUES(zeroblob(2), 2) ON CONFLICT DO NOTHING; PRAGMA max_page_count=1000;",
                     nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_stmt* statement = nullptr;
  check("SQLite: reads", sqlite3_prepare_v2(database, "SELECT sum(length(body)) FROM segment", -1, &statement, nullptr) == SQLITE_OK &&
                             sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int64(statement, 0) == 2);
  sqlite3_finalize(statement);
  sqlite3_close(database);

  const std::string text(10'000, 'x');
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
  std::string back(text.size(), '\0');
  check("zstd: there and back", ZSTD_decompress(back.data(), back.size(), packed.data(), packed.size()) == text.size() && back == text);
}

void probe_documents() {
  const std::unique_ptr<cJSON, decltype(&cJSON_Delete)> document(cJSON_Parse(R"({"jobs":[{"id":1.5}]})"), cJSON_Delete);
  check("cJSON: parses", document && cJSON_GetArraySize(cJSON_GetObjectItem(document.get(), "jobs")) == 1);
  const std::string deep(65, '[');
  check("cJSON: refuses 65 levels", cJSON_Parse(deep.c_str()) == nullptr);
  const toml::parse_result good = toml::parse("interval = 10\n");
  const toml::parse_result bad = toml::parse("interval = \n");
  check("toml++: parses, and names the line", good && good["interval"].value_or(0) == 10 && !bad && bad.error().source().begin.line == 1);
  const tl::expected<int, std::string> result = tl::make_unexpected("absent");
  check("tl::expected", !result && result.error() == "absent");
}

void probe_loop() {
  asio::io_context loop;
  asio::steady_timer timer(loop, std::chrono::milliseconds(1));
  bool fired = false;
  timer.async_wait([&](const std::error_code& error) { fired = !error; });
  loop.run();
  check("Asio: timer", fired);
}

void probe_mqtt() {
  mqtt::async_client client("tcp://broker.invalid:1883", "probe");
  auto options = mqtt::connect_options_builder().clean_session(true).connect_timeout(std::chrono::seconds(5)).finalize();
  bool refused = false;
  try {
    client.connect(options)->wait_for(std::chrono::seconds(10));
  } catch (const mqtt::exception&) {
    refused = true;
  }
  check("Paho: asks our getaddrinfo", refused && wrapped_lookups > 0);
}

}  // namespace

int __wrap_connect(int descriptor, const sockaddr* address, socklen_t length) {
  return __real_connect(descriptor, address, length);
}

int __wrap_getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) {
  ++wrapped_lookups;
  return EAI_NONAME;
}

void __wrap_freeaddrinfo(addrinfo*) {}

int main() {
  probe_tls();
  probe_store();
  probe_documents();
  probe_loop();
  probe_mqtt();
  return failures == 0 ? 0 : 1;
}
