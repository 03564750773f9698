// SPDX-License-Identifier: Apache-2.0
// Links that come, change and go while the driver reads, with the real kernel: a TAP device in a network
// namespace of the test's own thread, so that nobody else sees it. Needs CAP_SYS_ADMIN; skips without.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <thread>

#include "hal/network/network.hpp"
#include "tests/hal/opened_source.hpp"

namespace fieldpost {
namespace {

/// Runs `test` in a thread with an empty network namespace; gives why not, if it could not.
std::string in_own_network(const std::function<void()>& test) {
  std::string refused;
  std::thread thread{[&] {
    if (::unshare(CLONE_NEWNET) != 0) {
      refused = std::strerror(errno);
      return;
    }
    test();
  }};
  thread.join();
  return refused;
}

ifreq request_for(const char* device) {
  ifreq request{};
  std::strncpy(request.ifr_name, device, sizeof(request.ifr_name) - 1);
  return request;
}

FileDescriptor make_tap(const char* device) {
  FileDescriptor tap{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
  ifreq request = request_for(device);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (tap && ::ioctl(tap.get(), TUNSETIFF, &request) != 0) tap.close();
  return tap;
}

void set_up(const char* device, bool up) {
  const FileDescriptor socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request = request_for(device);
  request.ifr_flags = static_cast<short>(up ? IFF_UP : 0);
  EXPECT_EQ(::ioctl(socket.get(), SIOCSIFFLAGS, &request), 0) << std::strerror(errno);
}

TEST(NetworkLive, FollowsLinksThatComeChangeAndGo) {
  const std::string refused = in_own_network([] {
    OpenedSource network{open_network_from_kernel, machine_tree()};
    ASSERT_TRUE(network.is_open()) << network.error->sentence();
    const BootTime now{seconds{1}};  // stands still: nothing is asked because it is due
    const std::string up = "node_network_up{device=\"tap7\"}";
    const std::string bytes = "node_network_transmit_bytes_total{device=\"tap7\"}";
    const std::string flags = "node_network_flags{device=\"tap7\"}";
    const std::string carrier = "node_network_carrier{device=\"tap7\"}";
    EXPECT_FALSE(network.read(now).contains(bytes));

    FileDescriptor tap = make_tap("tap7");
    if (!tap) return;  // no TAP in this kernel
    auto values = network.read(now);
    EXPECT_EQ(values.at(bytes), "0");
    EXPECT_EQ(values.at(up), "0");
    EXPECT_FALSE(values.contains(carrier)) << "switched off";

    set_up("tap7", true);
    values = network.read(now);  // the notification comes with this dump and is heeded in it
    EXPECT_EQ(values.at(flags), "3") << "UP, BROADCAST";
    EXPECT_TRUE(values.contains(carrier));
    set_up("tap7", false);
    EXPECT_EQ(network.read(now).at(flags), "2");

    tap.close();
    values = network.read(now);
    EXPECT_FALSE(values.contains(bytes));
    EXPECT_TRUE(values.contains("node_network_transmit_bytes_total{device=\"lo\"}"));
  });
  if (!refused.empty()) GTEST_SKIP() << "SKIPPED: no network namespace of our own: " << refused;
}

TEST(NetworkLive, SurvivesMoreNotificationsThanTheSocketHolds) {
  const std::string refused = in_own_network([] {
    OpenedSource network{open_network_from_kernel, machine_tree()};
    ASSERT_TRUE(network.is_open()) << network.error->sentence();
    const FileDescriptor tap = make_tap("tap7");
    if (!tap) return;
    for (int i = 0; i < 1000; ++i) set_up("tap7", i % 2 == 0);
    set_up("tap7", true);
    const auto values = network.read(BootTime{seconds{1}});
    EXPECT_FALSE(network.error) << network.error->sentence();
    EXPECT_EQ(values.at("node_network_flags{device=\"tap7\"}"), "3");
  });
  if (!refused.empty()) GTEST_SKIP() << "SKIPPED: no network namespace of our own: " << refused;
}

}  // namespace
}  // namespace fieldpost
