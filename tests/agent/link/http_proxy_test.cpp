// SPDX-License-Identifier: Apache-2.0
#include "agent/link/http_proxy.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace fieldpost
