// SPDX-License-Identifier: Apache-2.0
// The TLS session against a server in the same process: two queues, no socket, and a clock that is
// moved by hand, so that certificates expire when the test says so.
#include <gtest/gtest.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>

#include "agent/link/tls_mbedtls.hpp"
#include "agent/link/tls_session.hpp"
#include "tests/agent/link/test_certificates_mbedtls.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

#if defined(MBEDTLS_SSL_SRV_C)

UtcTime at(const char* text) { return *from_rfc3339(text); }

class Server {
 public:
  Server(const TestCertificate& own, const TestCertificate& authority, ByteQueue& incoming, ByteQueue& outgoing)
      : incoming_{incoming}, outgoing_{outgoing} {
    mbedtls_ssl_init(&ssl_);
    mbedtls_ssl_config_init(&config_);
    mbedtls_x509_crt_init(&chain_);
    mbedtls_x509_crt_init(&authorities_);
    mbedtls_pk_init(&key_);
    EXPECT_EQ(mbedtls_x509_crt_parse(&chain_, as_bytes(own.certificate), own.certificate.size() + 1), 0);
    EXPECT_EQ(mbedtls_x509_crt_parse(&authorities_, as_bytes(authority.certificate), authority.certificate.size() + 1), 0);
    EXPECT_EQ(mbedtls_pk_parse_key(&key_, as_bytes(own.key), own.key.size() + 1, nullptr, 0, mbedtls_psa_get_random,
                                   MBEDTLS_PSA_RANDOM_STATE),
              0);
  }
  ~Server() {
    mbedtls_ssl_free(&ssl_);
    mbedtls_ssl_config_free(&config_);
    mbedtls_x509_crt_free(&chain_);
    mbedtls_x509_crt_free(&authorities_);
    mbedtls_pk_free(&key_);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void open(mbedtls_ssl_ticket_context& tickets) {
    mbedtls_ssl_config_defaults(&config_, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&config_, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
    mbedtls_ssl_conf_own_cert(&config_, &chain_, &key_);
    mbedtls_ssl_conf_ca_chain(&config_, &authorities_, nullptr);
    mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_session_tickets_cb(&config_, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, &tickets);
    ASSERT_EQ(mbedtls_ssl_setup(&ssl_, &config_), 0);
    mbedtls_ssl_set_bio(&ssl_, this, put, get, nullptr);
  }
  int shake_hands() { return mbedtls_ssl_handshake(&ssl_); }
  int write(const std::string& text) { return mbedtls_ssl_write(&ssl_, as_bytes(text), text.size()); }
  std::string read() {
    std::string text(100'000, '\0');
    std::string all;
    for (;;) {
      const int count = mbedtls_ssl_read(&ssl_, reinterpret_cast<unsigned char*>(text.data()), text.size());
      if (count <= 0) return all;
      all.append(text, 0, static_cast<std::size_t>(count));
    }
  }
  void close() { mbedtls_ssl_close_notify(&ssl_); }

 private:
  static const unsigned char* as_bytes(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.c_str()); }
  static int put(void* self, const unsigned char* bytes, std::size_t count) {
    static_cast<Server*>(self)->outgoing_.push({bytes, count});
    return static_cast<int>(count);
  }
  static int get(void* self, unsigned char* bytes, std::size_t count) {
    auto& queue = static_cast<Server*>(self)->incoming_;
    if (queue.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
    const auto taken = std::min(count, queue.size());
    std::memcpy(bytes, queue.front().data(), taken);
    queue.pop(taken);
    return static_cast<int>(taken);
  }

  ByteQueue& incoming_;
  ByteQueue& outgoing_;
  mbedtls_ssl_context ssl_;
  mbedtls_ssl_config config_;
  mbedtls_x509_crt chain_;
  mbedtls_x509_crt authorities_;
  mbedtls_pk_context key_;
};

struct TlsSessionTest : testing::TestWithParam<LinkOptions::TlsVersion> {
  TlsSessionTest() {
    clock.set_utc({at("2026-06-01T00:00:00Z"), true, milliseconds{1}});
    TestCertificateRequest root;
    root.name = "CN=Test Root";
    root.authority = true;
    root.not_after = "20360101000000";
    authority = make_test_certificate(root);
    TestCertificateRequest leaf;
    leaf.dns_name = "broker.example";
    server_certificate = make_test_certificate(leaf, &authority, root.name);
    directory.write("ca.pem", authority.certificate);
    options.ca_file = directory.file("ca.pem");
    options.tls_min = options.tls_max = GetParam();
    mbedtls_ssl_ticket_init(&tickets);
    EXPECT_EQ(mbedtls_ssl_ticket_setup(&tickets, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE, MBEDTLS_CIPHER_AES_256_GCM,
                                       86'400),
              0);
    settings = std::move(*TlsSettings::load(options));
  }
  ~TlsSessionTest() override { mbedtls_ssl_ticket_free(&tickets); }

  /// One handshake; `at_once` bytes are carried at a time.
  Result<void> shake_hands(const std::string& name = "broker.example", std::size_t at_once = 100'000) {
    session.reset();
    up = ByteQueue{1U << 20U};
    down = ByteQueue{1U << 20U};
    incoming = ByteQueue{1U << 20U};
    server = std::make_unique<Server>(server_certificate, authority, up, down);
    server->open(tickets);
    session = std::move(*TlsSession::make(*settings, clock, {"broker:8883", name}, incoming, outgoing));
    const MbedtlsTimeScope time{clock};  // the server's tickets ask for the time as well
    bool server_done = false;
    bool client_done = false;
    for (int round = 0; round < 100'000 && !(server_done && client_done); ++round) {
      if (!client_done) client_done = TRY(session->shake_hands()) == TlsSession::Handshake::done;
      up.push(outgoing.front());
      outgoing.clear();
      if (!server_done) server_done = server->shake_hands() == 0;
      carry(at_once);
    }
    if (!server_done || !client_done) return Error{ErrorKind::Bug, "the handshake stood still"};
    return {};
  }
  void carry(std::size_t at_once) {
    const auto some = down.front().first(std::min(at_once, down.size()));
    const auto taken = incoming.push(some);
    down.pop(taken);
  }
  std::string read_all(std::size_t at_once = 100'000, std::size_t room = 1U << 20U) {
    std::string all;
    ByteQueue plaintext{room};
    for (;;) {
      carry(at_once);
      const auto read = session->read(plaintext);
      EXPECT_TRUE(read) << read.error().sentence();
      all.append(plaintext.front().begin(), plaintext.front().end());
      plaintext.clear();
      if (!read || (*read != RecordLayer::Read::full && down.empty())) return all;
    }
  }

  ManualClock clock;
  TemporaryDirectory directory;
  LinkOptions options;
  TestCertificate authority;
  TestCertificate server_certificate;
  mbedtls_ssl_ticket_context tickets;
  std::unique_ptr<TlsSettings> settings;
  ByteQueue up{0};
  ByteQueue down{0};
  ByteQueue incoming{0};
  ByteQueue outgoing{1U << 20U};
  std::unique_ptr<Server> server;
  std::unique_ptr<TlsSession> session;
};

TEST_P(TlsSessionTest, CarriesBytesBothWays) {
  ASSERT_TRUE(shake_hands());
  const std::string large(70'000, 'a');
  ASSERT_TRUE(session->write({reinterpret_cast<const std::uint8_t*>(large.data()), large.size()}));
  up.push(outgoing.front());
  outgoing.clear();
  EXPECT_EQ(server->read(), large);
  EXPECT_EQ(server->write("hello"), 5);
  EXPECT_EQ(read_all(), "hello");
}

TEST_P(TlsSessionTest, WorksByteByByte) {
  ASSERT_TRUE(shake_hands("broker.example", 1));
  EXPECT_EQ(server->write("hello"), 5);
  EXPECT_EQ(read_all(1), "hello");
}

TEST_P(TlsSessionTest, LeavesNothingBehindInAFullQueue) {
  // Tickets of TLS 1.3 and data in one piece: mbedTLS says "want read" in between, with bytes in hand.
  ASSERT_TRUE(shake_hands());
  const std::string large(16'000, 'b');
  for (int i = 0; i < 5; ++i) ASSERT_EQ(server->write(large), 16'000);
  EXPECT_EQ(read_all(100'000, 700).size(), 80'000U);
}

TEST_P(TlsSessionTest, ResumesUntilTheCertificateEnds) {
  ASSERT_TRUE(shake_hands());
  EXPECT_EQ(session->description().find(", resumed"), std::string::npos);
  server->write("x");
  read_all();
  ASSERT_TRUE(shake_hands());
  EXPECT_NE(session->description().find(", resumed"), std::string::npos);
  server->write("x");
  read_all();
  clock.set_utc({at("2027-01-01T00:00:01Z"), true, milliseconds{1}});
  const auto expired = shake_hands();
  ASSERT_FALSE(expired);
  EXPECT_NE(expired.error().sentence().find("expired at 2027-01-01T00:00:00Z"), std::string::npos) << expired.error().sentence();
}

TEST_P(TlsSessionTest, TrustsTheClockThatItWasGiven) {
  clock.set_utc({at("2025-12-31T23:59:00Z"), true, milliseconds{1}});
  const auto early = shake_hands();
  ASSERT_FALSE(early);
  EXPECT_NE(early.error().sentence().find("is not valid before 2026-01-01T00:00:00Z (this device's clock says "
                                          "2025-12-31T23:59:00Z and is synchronised)"),
            std::string::npos)
      << early.error().sentence();
  clock.set_utc({at("2026-12-31T23:59:59Z"), true, milliseconds{1}});
  EXPECT_TRUE(shake_hands());
  EXPECT_FALSE(session->certificate_early());
}

TEST_P(TlsSessionTest, AcceptsACertificateBeforeItsTimeWhileNobodyVouchesForTheClock) {
  clock.set_utc({UtcTime{seconds{60}}, false, {}});
  const auto accepted = shake_hands();
  ASSERT_TRUE(accepted) << accepted.error().sentence();
  EXPECT_TRUE(session->certificate_early());
  EXPECT_NE(session->description().find("accepted before its time"), std::string::npos);
  server->write("x");
  read_all();
  // The time becomes known, and it is valid: nothing happens, now or at the next connection.
  clock.set_utc({at("2026-06-01T00:00:00Z"), true, milliseconds{1}});
  server->write("y");
  EXPECT_EQ(read_all(), "y");
  EXPECT_TRUE(shake_hands());
  EXPECT_FALSE(session->certificate_early());
}

TEST_P(TlsSessionTest, TakesACertificateWithoutAnEndWhetherOrNotTheClockIsTrusted) {
  TestCertificateRequest leaf;
  leaf.dns_name = "broker.example";
  leaf.not_after = "99991231235959";
  server_certificate = make_test_certificate(leaf, &authority, "CN=Test Root");
  for (const bool synchronised : {false, true}) {
    clock.set_utc({at("2026-06-01T00:00:00Z"), synchronised, milliseconds{1}});
    ASSERT_TRUE(shake_hands());
    server->write("x");
    EXPECT_EQ(read_all(), "x");
  }
}

TEST_P(TlsSessionTest, AcceptsNothingButTheDateUnderAClockThatNobodyVouchesFor) {
  clock.set_utc({UtcTime{seconds{60}}, false, {}});
  EXPECT_NE(shake_hands("other.example").error().sentence().find("is for 'broker.example'"), std::string::npos);
  TestCertificateRequest stranger;
  stranger.name = "CN=Another Root";
  stranger.authority = true;
  const TestCertificate other = make_test_certificate(stranger);
  TestCertificateRequest leaf;
  leaf.dns_name = "broker.example";
  server_certificate = make_test_certificate(leaf, &other, stranger.name);
  EXPECT_NE(shake_hands().error().sentence().find("leads up to 'CN=Another Root'"), std::string::npos);
}

TEST_P(TlsSessionTest, RefusesWhatIsExpiredByTheFloorWhateverTheClockSays) {
  clock.set_utc({UtcTime{seconds{60}}, false, {}});
  clock.note_floor((at("2027-01-02T00:00:00Z").time_since_epoch()));
  const auto refused = shake_hands();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().sentence().find("expired at 2027-01-01T00:00:00Z"), std::string::npos) << refused.error().sentence();
  EXPECT_NE(refused.error().sentence().find("is not synchronised"), std::string::npos) << refused.error().sentence();
  // A clock that somebody vouches for is believed, also below the floor.
  clock.set_utc({at("2026-06-01T00:00:00Z"), true, milliseconds{1}});
  EXPECT_TRUE(shake_hands());
}

TEST_P(TlsSessionTest, EndsAConnectionWhenTheTimeShowsThatTheCertificateHadExpired) {
  clock.set_utc({UtcTime{seconds{60}}, false, {}});
  ASSERT_TRUE(shake_hands());
  server->write("x");
  read_all();
  clock.set_utc({at("2027-03-01T00:00:00Z"), true, milliseconds{1}});
  ByteQueue plaintext{1'000};
  const auto read = session->read(plaintext);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind(), ErrorKind::Denied);
  EXPECT_NE(read.error().sentence().find("expired at 2027-01-01T00:00:00Z"), std::string::npos) << read.error().sentence();
  EXPECT_FALSE(shake_hands());  // nor is its session taken up again
}

TEST_P(TlsSessionTest, EndsAConnectionWhenTheTimeShowsThatTheCertificateIsNotValidYet) {
  clock.set_utc({UtcTime{seconds{60}}, false, {}});
  ASSERT_TRUE(shake_hands());
  clock.set_utc({at("2025-06-01T00:00:00Z"), true, milliseconds{1}});
  ByteQueue plaintext{1'000};
  const auto read = session->read(plaintext);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().sentence().find("is not valid before"), std::string::npos) << read.error().sentence();
}

TEST_P(TlsSessionTest, RefusesAnotherName) {
  const auto refused = shake_hands("other.example");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::Denied);
  EXPECT_EQ(refused.error().sentence(), "the certificate of broker:8883 is for 'broker.example' and not for 'other.example'; use "
                                        "such a name in the URL, or set server_name");
  EXPECT_FALSE(shake_hands("192.0.2.7"));  // an address that the certificate does not bear
}

TEST_P(TlsSessionTest, ForgetsItsSessionAfterAFailure) {
  ASSERT_TRUE(shake_hands());
  server->write("x");
  read_all();
  EXPECT_FALSE(shake_hands("other.example"));
  ASSERT_TRUE(shake_hands());
  EXPECT_EQ(session->description().find(", resumed"), std::string::npos);
}

TEST_P(TlsSessionTest, HearsThePeersGoodbye) {
  ASSERT_TRUE(shake_hands());
  server->close();
  ByteQueue plaintext{1'000};
  carry(100'000);
  const auto read = session->read(plaintext);
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, RecordLayer::Read::closed);
}

TEST_P(TlsSessionTest, NamesAPeerThatIsNoTls) {
  session = std::move(*TlsSession::make(*settings, clock, {"broker:80", "broker.example"}, incoming = ByteQueue{1'000}, outgoing));
  const std::string http = "HTTP/1.1 400 Bad Request\r\n\r\n";
  incoming.push({reinterpret_cast<const std::uint8_t*>(http.data()), http.size()});
  const auto result = session->shake_hands();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::Malformed);
}

INSTANTIATE_TEST_SUITE_P(Versions, TlsSessionTest,
                         testing::Values(LinkOptions::TlsVersion::v1_2, LinkOptions::TlsVersion::v1_3),
                         [](const auto& version) { return version.param == LinkOptions::TlsVersion::v1_2 ? "Tls12" : "Tls13"; });

#else

TEST(TlsSessionTest, NeedsAServer) { GTEST_SKIP() << "mbedTLS is built without its server in this profile"; }

#endif

}  // namespace
}  // namespace fieldpost
