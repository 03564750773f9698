// SPDX-License-Identifier: Apache-2.0
// The steps of a connect and their time-outs in virtual time; TLS itself is tested elsewhere.
#include "agent/link/connector.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

struct ConnectorTest : testing::Test {
  ConnectorTest() {
    listener = FileDescriptor{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(listener.get(), 4);
    socklen_t length = sizeof address;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port = ntohs(address.sin_port);
  }
  Connector& connect(const std::string& url, const std::string& proxy = {}) {
    Connector::Target target;
    target.broker = *parse_broker_url(url, true);
    if (!proxy.empty()) target.proxy = *parse_proxy_url(proxy);
    connector = std::make_unique<Connector>(loop, resolver, std::move(target));
    connector->connect(seconds{30}, [this](Result<Connector::Connection> result) {
      outcome.emplace(std::move(result));
      connector.reset();  // as MqttLink does
    });
    return *connector;
  }
  FileDescriptor accept() { return FileDescriptor{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)}; }
  std::string here(const char* scheme) const { return std::string{scheme} + "127.0.0.1:" + std::to_string(port); }

  ManualClock clock;
  ManualEventLoop loop{clock};
  NameResolver resolver{loop, [](const std::string& name) -> Result<NameResolver::Addresses> {
                          return Error{ErrorKind::NotPresent, "no " + name};
                        }};
  FileDescriptor listener;
  std::uint16_t port = 0;
  std::unique_ptr<Connector> connector;
  std::optional<Result<Connector::Connection>> outcome;
};

TEST_F(ConnectorTest, HandsOverAPlainConnection) {
  connect(here("mqtt://"));
  loop.run_ready();
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_EQ((*outcome)->tls, "");
  EXPECT_EQ((*outcome)->peer, "127.0.0.1:" + std::to_string(port));
}

TEST_F(ConnectorTest, PassesOnThatANameDoesNotResolve) {
  connect("mqtt://broker.example:1883");
  ASSERT_TRUE(loop.run_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->error().sentence(), "no broker.example");
}

TEST_F(ConnectorTest, GoesThroughTheProxyAndKeepsWhatFollowsItsHead) {
  connect("mqtt://broker.example:1883", here("http://"));
  loop.run_ready();
  const auto proxy = accept();
  loop.run_ready();
  char asked[200] = {};
  ASSERT_GT(::read(proxy.get(), asked, sizeof asked), 0);
  EXPECT_EQ(std::string{asked}, "CONNECT broker.example:1883 HTTP/1.1\r\nHost: broker.example:1883\r\n\r\n");
  ASSERT_EQ(::write(proxy.get(), "HTTP/1.1 200 OK\r\n", 17), 17);
  loop.run_ready();
  EXPECT_FALSE(outcome);
  ASSERT_EQ(::write(proxy.get(), "\r\nearly", 7), 7);
  loop.run_ready();
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_EQ((*outcome)->wire->incoming().size(), 5U);
}

TEST_F(ConnectorTest, SaysThatTheProxyHungUp) {
  connect("mqtt://broker.example:1883", here("http://"));
  loop.run_ready();
  accept().close();
  loop.run_ready();
  ASSERT_TRUE(outcome && !*outcome);
  EXPECT_NE(outcome->error().sentence().find("hung up instead of making a tunnel"), std::string::npos);
}

TEST_F(ConnectorTest, GivesUpOnASilentProxyAfterItsTime) {
  connect("mqtt://broker.example:1883", here("http://"));
  loop.run_ready();
  const auto proxy = accept();
  loop.advance(seconds{29});
  EXPECT_FALSE(outcome);
  loop.advance(seconds{2});
  ASSERT_TRUE(outcome && !*outcome);
  EXPECT_EQ(outcome->error().kind(), ErrorKind::Timeout);
  EXPECT_EQ(outcome->error().sentence(), "the proxy 127.0.0.1:" + std::to_string(port) +
                                             " did not answer our CONNECT within 30 s; check its host and port");
  EXPECT_EQ(loop.timers(), 0U);
  EXPECT_EQ(loop.watches(), 0U);
}

TEST_F(ConnectorTest, MayBeGivenUpAtAnyTime) {
  connect("mqtt://broker.example:1883", here("http://"));
  loop.run_ready();
  connector.reset();
  loop.advance(seconds{60});
  EXPECT_FALSE(outcome);
  EXPECT_EQ(loop.timers(), 0U);
  EXPECT_EQ(loop.watches(), 0U);
}

}  // namespace
}  // namespace fieldpost
