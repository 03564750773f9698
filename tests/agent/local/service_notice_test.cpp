// SPDX-License-Identifier: Apache-2.0
// What arrives at a notify socket made here, and which watchdog times are believed.
#include "agent/local/service_notice.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

FileDescriptor listen_at(const std::string& name) {
  FileDescriptor socket{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name[0] == '@') address.sun_path[0] = '\0';
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), bytes), 0);
  return socket;
}

std::string hear(const FileDescriptor& socket) {
  std::array<char, 256> buffer{};
  const ssize_t count = ::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  return {buffer.data(), static_cast<std::size_t>(count < 0 ? 0 : count)};
}

TEST(ServiceNotice, TellsSystemdAtAPath) {
  const TemporaryDirectory directory;
  const std::string name = directory.file("notify");
  const FileDescriptor systemd = listen_at(name);
  const ServiceNotice notice{{name, "", ""}};
  notice.ready("running");
  EXPECT_EQ(hear(systemd), "READY=1\nSTATUS=running");
  notice.alive();
  EXPECT_EQ(hear(systemd), "WATCHDOG=1");
  notice.reloading();
  EXPECT_TRUE(hear(systemd).starts_with("RELOADING=1\nMONOTONIC_USEC="));
  notice.stopping();
  EXPECT_EQ(hear(systemd), "STOPPING=1");
}

TEST(ServiceNotice, TellsSystemdAtAnAbstractName) {
  const std::string name = "@fieldpost-test-" + std::to_string(::getpid());
  const FileDescriptor systemd = listen_at(name);
  ServiceNotice{{name, "", ""}}.status("hello");
  EXPECT_EQ(hear(systemd), "STATUS=hello");
}

TEST(ServiceNotice, IsSilentWithoutSystemd) {
  const ServiceNotice notice{{}};
  notice.ready("running");
  EXPECT_EQ(notice.alive_interval(), std::nullopt);
}

TEST(ServiceNotice, FeedsAWatchdogThatIsForThisProcess) {
  const std::string us = std::to_string(::getpid());
  EXPECT_EQ(ServiceNotice({"", "10000000", ""}).alive_interval(), seconds{5});
  EXPECT_EQ(ServiceNotice({"", "10000000", us}).alive_interval(), seconds{5});
  EXPECT_EQ(ServiceNotice({"", "10000000", "1"}).alive_interval(), std::nullopt);
  for (const char* wrong : {"", "0", "-5", "ten", "10s", "9223372036854775807"}) {
    EXPECT_EQ(ServiceNotice({"", wrong, us}).alive_interval(), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace fieldpost
