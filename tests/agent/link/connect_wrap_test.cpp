// SPDX-License-Identifier: Apache-2.0
#include "agent/link/connect_wrap.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "agent/link/socket_address.hpp"

namespace fieldpost {
namespace {

/// What Paho does: look the host up, make a socket of the family it is told, connect.
int connect_like_paho(const std::string& host, FileDescriptor& socket) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_protocol = IPPROTO_TCP;
  addrinfo* list = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return -2;
  auto address = *reinterpret_cast<const sockaddr_in*>(list->ai_addr);
  address.sin_port = htons(8883);
  freeaddrinfo(list);
  socket = FileDescriptor{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

TEST(ReservedConnection, PutsTheReservedEndInPlaceOfTheCallersSocket) {
  auto pair = make_socket_pair();
  ASSERT_TRUE(pair);
  auto reserved = ReservedConnection::make(std::move(pair->theirs));
  ASSERT_TRUE(reserved);
  EXPECT_FALSE(reserved->taken());

  FileDescriptor socket;
  EXPECT_EQ(connect_like_paho(reserved->host(), socket), -1);
  EXPECT_EQ(errno, EINPROGRESS);
  EXPECT_TRUE(reserved->taken());
  EXPECT_EQ(connect_result(socket.get()), 0);
  EXPECT_NE(fcntl(socket.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(socket.get(), F_GETFD) & FD_CLOEXEC, 0);

  ASSERT_EQ(::write(socket.get(), "hello", 5), 5);
  char text[8] = {};
  EXPECT_EQ(::read(pair->ours.get(), text, sizeof text), 5);
  EXPECT_STREQ(text, "hello");
}

TEST(ReservedConnection, ServesOneConnectOnly) {
  auto pair = make_socket_pair();
  auto reserved = ReservedConnection::make(std::move(pair->theirs));
  ASSERT_TRUE(reserved);
  const std::string host = reserved->host();
  FileDescriptor first;
  EXPECT_EQ(connect_like_paho(host, first), -1);
  FileDescriptor second;
  EXPECT_EQ(connect_like_paho(host, second), -2);  // ".invalid" resolves for nobody else
}

TEST(ReservedConnection, ClosesAnEndThatNobodyTook) {
  auto pair = make_socket_pair();
  std::string host;
  {
    auto reserved = ReservedConnection::make(std::move(pair->theirs));
    ASSERT_TRUE(reserved);
    host = reserved->host();
  }
  char byte = 0;
  EXPECT_EQ(::read(pair->ours.get(), &byte, 1), 0);  // end of file
  FileDescriptor socket;
  EXPECT_EQ(connect_like_paho(host, socket), -2);
}

TEST(ReservedConnection, LeavesOtherConnectionsAlone) {
  FileDescriptor listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  socklen_t length = sizeof address;
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  FileDescriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);

}

TEST(ReservedConnection, IsAllThatGetaddrinfoKnows) {
  addrinfo* list = nullptr;
  EXPECT_EQ(getaddrinfo("localhost", "8883", nullptr, &list), EAI_NONAME);  // see host_names.hpp
}

TEST(ReservedConnection, HoldsItsMaximumAndNotOneMore) {
  std::vector<ReservedConnection> reserved;
  for (std::size_t i = 0; i < ReservedConnection::kReservationsMax; ++i) {
    auto one = ReservedConnection::make(FileDescriptor{::dup(0)});
    ASSERT_TRUE(one);
    reserved.push_back(std::move(*one));
  }
  const auto more = ReservedConnection::make(FileDescriptor{});
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().kind(), ErrorKind::Full);
  reserved.pop_back();
  EXPECT_TRUE(ReservedConnection::make(FileDescriptor{}));
}

TEST(ReservedConnection, KeepsThreadsApart) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 200; ++i) {
        auto pair = make_socket_pair();
        auto reserved = ReservedConnection::make(std::move(pair->theirs));
        FileDescriptor socket;
        ASSERT_EQ(connect_like_paho(reserved->host(), socket), -1);
        ASSERT_EQ(::write(socket.get(), &i, sizeof i), static_cast<ssize_t>(sizeof i));
        int got = -1;
        ASSERT_EQ(::read(pair->ours.get(), &got, sizeof got), static_cast<ssize_t>(sizeof got));
        ASSERT_EQ(got, i);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace fieldpost
