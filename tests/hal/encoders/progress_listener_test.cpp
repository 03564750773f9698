// SPDX-License-Identifier: Apache-2.0
// Addresses: which are taken, which are refused, and in which words.
#include "hal/encoders/progress_listener.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

/// A port that is free now, on loopback.
std::uint16_t free_port() {
  const FileDescriptor probe{::socket(AF_INET, SOCK_STREAM, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  socklen_t bytes = sizeof address;
  EXPECT_EQ(::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  return ntohs(address.sin_port);
}

TEST(ProgressListener, RefusesWhatIsNoAddressAndSaysWhatOneLooksLike) {
  for (const std::string text :
       {"", "unix:", "unix:relative", "/path", "tcp:", "tcp:9700", "tcp:127.0.0.1", "tcp:127.0.0.1:",
        "tcp:127.0.0.1:0", "tcp:127.0.0.1:65536", "tcp:127.0.0.1:97x", "tcp:localhost:9700",
        "tcp:::1:9700", "tcp:[]:9700", "tcp:[::1:9700", "udp:127.0.0.1:9700"}) {
    const auto listener = listen_for_progress(text, true);
    ASSERT_FALSE(listener) << text;
    EXPECT_EQ(listener.error().kind(), ErrorKind::OutOfRange) << text;
    EXPECT_NE(listener.error().sentence().find("tcp:127.0.0.1:9700"), std::string::npos);
  }
}

TEST(ProgressListener, AnAddressThatOthersReachIsDeniedUnlessAskedFor) {
  const std::string port = std::to_string(free_port());
  for (const std::string host : {"0.0.0.0", "192.0.2.1", "[::]"}) {
    const auto listener = listen_for_progress("tcp:" + host + ":" + port, false);
    ASSERT_FALSE(listener) << host;
    EXPECT_EQ(listener.error().kind(), ErrorKind::Denied);
    EXPECT_NE(listener.error().sentence().find("remote_allowed"), std::string::npos);
  }
  const auto elsewhere = listen_for_progress("tcp:192.0.2.1:" + port, true);
  ASSERT_FALSE(elsewhere);
  EXPECT_EQ(elsewhere.error().kind(), ErrorKind::NotPresent);
}

TEST(ProgressListener, APortInUseIsSaid) {
  const std::string address = "tcp:127.0.0.1:" + std::to_string(free_port());
  const auto first = listen_for_progress(address, false);
  ASSERT_TRUE(first) << first.error().sentence();
  const auto second = listen_for_progress(address, false);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::Unavailable);
}

TEST(ProgressListener, NobodyWaitingIsAnEmptyDescriptorAndNoError) {
  const TemporaryDirectory directory;
  const auto listener = listen_for_progress("unix:" + directory.path() + "/s", false);
  ASSERT_TRUE(listener) << listener.error().sentence();
  const auto connection = accept_progress(*listener);
  ASSERT_TRUE(connection);
  EXPECT_FALSE(*connection);
}

}  // namespace
}  // namespace fieldpost
