// SPDX-License-Identifier: Apache-2.0
// The pure parts: proxy, WebSocket head, topic filters, reason codes, TLS refusals.
#include <gtest/gtest.h>

#include "agent/link/http_proxy.hpp"
#include "agent/link/mqtt_reason.hpp"
#include "agent/link/tls_refusal.hpp"
#include "agent/link/topic_filter.hpp"
#include "agent/link/websocket_host.hpp"

namespace fieldpost {
namespace {

std::span<const std::uint8_t> bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

const ProxyUrl kProxy{{"proxy.example", 3128}, "", ""};
const HostPort kBroker{"broker.example", 8883};

TEST(HttpProxy, AsksForATunnelWithAndWithoutAPassword) {
  EXPECT_EQ(proxy_request(kProxy, kBroker), "CONNECT broker.example:8883 HTTP/1.1\r\nHost: broker.example:8883\r\n\r\n");
  // The example of RFC 7617.
  const ProxyUrl with{{"p", 1}, "Aladdin", "open sesame"};
  EXPECT_NE(proxy_request(with, kBroker).find("Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"), std::string::npos);
  EXPECT_NE(proxy_request({{"p", 1}, "a", ""}, kBroker).find("Basic YTo=\r\n"), std::string::npos);
  EXPECT_NE(proxy_request({{"p", 1}, "ab", ""}, kBroker).find("Basic YWI6\r\n"), std::string::npos);
}

TEST(HttpProxy, WaitsForTheWholeHeadAndLeavesWhatFollows) {
  const std::string head = "HTTP/1.1 200 OK\r\nVia: x\r\n\r\n";
  for (std::size_t cut = 0; cut < head.size(); ++cut) {
    const auto some = parse_proxy_answer(bytes(head.substr(0, cut)), kProxy, kBroker);
    ASSERT_TRUE(some) << cut;
    EXPECT_FALSE(*some) << cut;
  }
  EXPECT_EQ(**parse_proxy_answer(bytes(head + "rest"), kProxy, kBroker), head.size());
}

TEST(HttpProxy, TellsRefusalsApart) {
  const auto kind = [](const std::string& text) { return parse_proxy_answer(bytes(text), kProxy, kBroker).error().kind(); };
  EXPECT_EQ(kind("HTTP/1.1 407 X\r\n\r\n"), ErrorKind::Denied);
  EXPECT_EQ(kind("HTTP/1.0 403 X\r\n\r\n"), ErrorKind::Denied);
  EXPECT_EQ(kind("HTTP/1.1 504 X\r\n\r\n"), ErrorKind::Unavailable);
  EXPECT_EQ(kind("SSH-2.0"), ErrorKind::Malformed);
  EXPECT_EQ(kind("HTTP/1.1 abc\r\n\r\n"), ErrorKind::Malformed);
}

TEST(HttpProxy, BoundsTheHead) {
  const std::string most = "HTTP/1.1 200 OK\r\n" + std::string(kProxyHeadMax - 17, 'x');
  EXPECT_TRUE(parse_proxy_answer(bytes(most), kProxy, kBroker));
  EXPECT_FALSE(parse_proxy_answer(bytes(most + "x"), kProxy, kBroker));
}

TEST(WebSocketHost, LetsAHeadWithoutAnEndPassOnceItIsTooLong) {
  WebSocketHost host{"stand-in", "real"};
  EXPECT_TRUE(host.rewrite(bytes(std::string(WebSocketHost::kHeadMax, 'x'))).empty());
  EXPECT_FALSE(host.done());
  EXPECT_EQ(host.rewrite(bytes("x")).size(), WebSocketHost::kHeadMax + 1);
  EXPECT_TRUE(host.done());
}

TEST(TopicFilter, MatchesAsTheStandardSays) {
  EXPECT_TRUE(topic_matches("a/b", "a/b"));
  EXPECT_FALSE(topic_matches("a/b", "a/b/c"));
  EXPECT_FALSE(topic_matches("a/b/c", "a/b"));
  EXPECT_TRUE(topic_matches("a/+/c", "a/b/c"));
  EXPECT_FALSE(topic_matches("a/+", "a/b/c"));
  EXPECT_TRUE(topic_matches("a/+", "a/"));
  EXPECT_TRUE(topic_matches("+/+", "/a"));
  EXPECT_TRUE(topic_matches("a/#", "a"));
  EXPECT_TRUE(topic_matches("a/#", "a/b/c"));
  EXPECT_FALSE(topic_matches("a/#", "ab"));
  EXPECT_TRUE(topic_matches("#", "a/b"));
  EXPECT_FALSE(topic_matches("#", "$SYS/x"));
  EXPECT_FALSE(topic_matches("+/x", "$SYS/x"));
  EXPECT_TRUE(topic_matches("$SYS/#", "$SYS/x"));
  EXPECT_TRUE(topic_matches("$share/group/a/+", "a/b"));
  EXPECT_FALSE(topic_matches("$share/group", "group"));
  EXPECT_TRUE(topic_matches("$aws/things/7/jobs/notify", "$aws/things/7/jobs/notify"));
}

TEST(MqttReason, ANewCodeStillMakesASentence) {
  const auto error = explain_connack(LinkOptions::MqttVersion::v5, 0xEE, {"b:1", "me", false});
  EXPECT_EQ(error.sentence(), "b:1 refused our CONNECT: unknown reason (reason 0xee); see the broker's log for the reason");
  EXPECT_EQ(explain_puback(0x97).kind(), ErrorKind::Unavailable);
  EXPECT_EQ(explain_puback(0x87).kind(), ErrorKind::Denied);
  EXPECT_NE(explain_suback(0x80, "a/#").sentence().find("'a/#'"), std::string::npos);
}

RefusedCertificate refused(CertificateFault fault) {
  RefusedCertificate certificate;
  certificate.fault = fault;
  certificate.peer = "b:8883";
  certificate.expected_name = "b";
  certificate.subject = "CN=x";
  certificate.issuer = "CN=y";
  certificate.ca_path = "/ca.pem";
  certificate.crl_path = "/crl.pem";
  certificate.not_before = UtcTime{seconds{1'800'000'000}};
  certificate.not_after = UtcTime{seconds{1'700'000'000}};
  certificate.clock = {UtcTime{seconds{60}}, false, {}};
  return certificate;
}

TEST(TlsRefusal, TellsNotYetValidApartFromExpiredWhenTheClockIsNotTrusted) {
  EXPECT_EQ(explain(refused(CertificateFault::not_yet_valid)).sentence(),
            "the certificate of b:8883 is not valid before 2027-01-15T08:00:00Z (this device's clock says 1970-01-01T00:01:00Z and "
            "is not synchronised); set the clock, or let NTP set it");
  EXPECT_EQ(explain(refused(CertificateFault::expired)).sentence(),
            "the certificate of b:8883 expired at 2023-11-14T22:13:20Z (this device's clock says 1970-01-01T00:01:00Z and is not "
            "synchronised); renew it");
}

TEST(TlsRefusal, NamesTheAuthorityAtFault) {
  auto above = refused(CertificateFault::expired);
  above.is_authority = true;
  EXPECT_EQ(explain(above).sentence().rfind("the CA certificate 'CN=x' above b:8883 expired at", 0), 0U);
}

TEST(TlsRefusal, ShowsAFewNamesOfManyAndSaysWhenThereIsNone) {
  auto wrong = refused(CertificateFault::wrong_name);
  EXPECT_NE(explain(wrong).sentence().find("is for no name at all and not for 'b'"), std::string::npos);
  wrong.names = {"'1'", "'2'", "'3'", "'4'", "'5'", "'6'"};
  EXPECT_NE(explain(wrong).sentence().find("'1', '2', '3', '4', '5', ... and"), std::string::npos);
}

TEST(TlsRefusal, EveryFaultAndEveryAlertHasASentence) {
  for (auto fault = 0; fault <= static_cast<int>(CertificateFault::other); ++fault) {
    const auto error = explain(refused(static_cast<CertificateFault>(fault)));
    EXPECT_EQ(error.kind(), ErrorKind::Denied);
    EXPECT_NE(error.sentence().find(fault <= 4 || fault >= 8 ? "b:8883" : "/crl.pem"), std::string::npos) << error.sentence();
  }
  for (unsigned alert = 0; alert < 256; ++alert) {
    for (const bool own : {false, true}) {
      AlertContext context;
      context.peer = "b:8883";
      context.own_certificate = own;
      const auto sentence = explain_alert(alert, context).sentence();
      EXPECT_NE(sentence.find("b:8883"), std::string::npos);
      EXPECT_NE(sentence.find("TLS alert: "), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace fieldpost
