// SPDX-License-Identifier: Apache-2.0
#include "agent/link/link_url.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(BrokerUrl, KnowsTheUsualPorts) {
  const auto mqtts = parse_broker_url("mqtts://broker.example", false);
  ASSERT_TRUE(mqtts);
  EXPECT_EQ(mqtts->at.text(), "broker.example:8883");
  EXPECT_TRUE(mqtts->tls);
  EXPECT_FALSE(mqtts->websocket);
  const auto wss = parse_broker_url("wss://broker.example", false);
  ASSERT_TRUE(wss);
  EXPECT_EQ(wss->at.port, 443);
  EXPECT_EQ(wss->path, "/mqtt");
  EXPECT_TRUE(wss->websocket);
  EXPECT_EQ(parse_broker_url("mqtt://broker.example", true)->at.port, 1883);
  EXPECT_EQ(parse_broker_url("ws://broker.example/a/b", true)->path, "/a/b");
}

TEST(BrokerUrl, TakesIpv6AddressesInBrackets) {
  const auto url = parse_broker_url("mqtts://[2001:db8::7]:8884", false);
  ASSERT_TRUE(url);
  EXPECT_EQ(url->at.host, "2001:db8::7");
  EXPECT_EQ(url->at.port, 8884);
  EXPECT_EQ(url->at.text(), "[2001:db8::7]:8884");
}

TEST(BrokerUrl, LetsPlaintextThroughOnlyWhenAllowed) {
  EXPECT_FALSE(parse_broker_url("mqtt://broker.example", false));
  EXPECT_FALSE(parse_broker_url("ws://broker.example", false));
  EXPECT_NE(parse_broker_url("mqtt://broker.example", false).error().sentence().find("plaintext_allowed"), std::string::npos);
}

class WrongBrokerUrl : public testing::TestWithParam<const char*> {};

TEST_P(WrongBrokerUrl, IsRefusedAsOutOfRange) {
  const auto url = parse_broker_url(GetParam(), true);
  ASSERT_FALSE(url) << url->at.text();
  EXPECT_EQ(url.error().kind(), ErrorKind::OutOfRange);
  EXPECT_FALSE(url.error().sentence().empty());
}

INSTANTIATE_TEST_SUITE_P(Each, WrongBrokerUrl,
                         testing::Values("", "broker.example", "https://broker.example", "mqtts://", "mqtts://:8883",
                                         "mqtts://a:0", "mqtts://a:65536", "mqtts://a:", "mqtts://a:12x", "mqtts://a b",
                                         "mqtts://user:password@a", "mqtts://2001:db8::7", "mqtts://[::1", "mqtts://[::1]8883",
                                         "mqtts://a/path", "wss://a/with blank", "wss://a/\r\nX: y"));

TEST(BrokerUrl, RefusesAHostThatIsTooLong) {
  EXPECT_TRUE(parse_broker_url("mqtts://" + std::string(253, 'a'), false));
  EXPECT_FALSE(parse_broker_url("mqtts://" + std::string(254, 'a'), false));
}

TEST(ProxyUrl, DecodesUserAndPassword) {
  const auto url = parse_proxy_url("http://po%40st:se%3acret%25@proxy.example:8080/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->username, "po@st");
  EXPECT_EQ(url->password, "se:cret%");
  EXPECT_EQ(url->at.text(), "proxy.example:8080");
  EXPECT_EQ(parse_proxy_url("http://proxy.example")->at.port, 3128);
}

TEST(ProxyUrl, RefusesWhatItCannotDo) {
  for (const char* wrong : {"https://proxy.example", "proxy.example:3128", "http://", "http://a:%zz@b", "http://a:%4@b",
                            "http://a%3ab:c@d", "http://proxy.example/path"}) {
    EXPECT_FALSE(parse_proxy_url(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace fieldpost
