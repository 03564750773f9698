// SPDX-License-Identifier: Apache-2.0
// Dials loopback sockets: one that listens, one that nobody listens on, and one whose queue is full,
// which on Linux never answers a further SYN.
#include "agent/link/dialler.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"

namespace fieldpost {
namespace {

struct DiallerTest : testing::Test {
  static SocketAddress bind_one(FileDescriptor& socket, int backlog) {
    socket = FileDescriptor{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (backlog >= 0) ::listen(socket.get(), backlog);
    socklen_t length = sizeof address;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
    return *parse_address("127.0.0.1", ntohs(address.sin_port));
  }
  SocketAddress silent() {
    const auto address = bind_one(full, 0);
    for (int i = 0; i < 4; ++i) queued.push_back(start_connect(address));
    return address;
  }
  void dial(std::vector<SocketAddress> addresses, nanoseconds time) {
    dialler.dial("broker:1", std::move(addresses), time,
                 [this](Result<Dialler::Connected> result) { outcome.emplace(std::move(result)); });
  }

  ManualClock clock;
  ManualEventLoop loop{clock};
  Dialler dialler{loop};
  FileDescriptor listening;
  FileDescriptor closed;
  FileDescriptor full;
  std::vector<ConnectStart> queued;
  std::optional<Result<Dialler::Connected>> outcome;
};

TEST_F(DiallerTest, ConnectsToTheFirstThatAnswers) {
  const auto address = bind_one(listening, 4);
  dial({address}, seconds{10});
  EXPECT_FALSE(outcome);  // never at once
  loop.run_ready();
  ASSERT_TRUE(outcome && *outcome);
  EXPECT_EQ((*outcome)->address, address);
}

TEST_F(DiallerTest, SaysWhoRefused) {
  const auto address = bind_one(closed, -1);
  dial({address}, seconds{10});
  loop.run_ready();
  ASSERT_TRUE(outcome && !*outcome);
  EXPECT_EQ(outcome->error().sentence(),
            "broker:1 (127.0.0.1) refused the connection; check the port, and that something listens there");
}

TEST_F(DiallerTest, GoesOnToTheNextAddressAfterARefusal) {
  dial({bind_one(closed, -1), bind_one(listening, 4)}, seconds{10});
  loop.run_ready();
  ASSERT_TRUE(outcome && *outcome);
}

TEST_F(DiallerTest, GivesASilentAddressItsShareOfTheTimeAndNoMore) {
  dial({silent(), bind_one(listening, 4)}, seconds{10});
  loop.advance(milliseconds{4'900});
  EXPECT_FALSE(outcome);
  loop.advance(milliseconds{200});
  ASSERT_TRUE(outcome && *outcome);
}

TEST_F(DiallerTest, GivesUpWhenTheTimeIsOver) {
  dial({silent()}, seconds{10});
  loop.advance(seconds{9});
  EXPECT_FALSE(outcome);
  loop.advance(seconds{2});
  ASSERT_TRUE(outcome && !*outcome);
  EXPECT_EQ(outcome->error().kind(), ErrorKind::Timeout);
  EXPECT_EQ(loop.timers(), 0U);
  EXPECT_EQ(loop.watches(), 0U);
}

}  // namespace
}  // namespace fieldpost
