// SPDX-License-Identifier: Apache-2.0
// sd_notify(3) in forty lines; libsystemd would be a dependency for one sendto().
#include "agent/local/service_notice.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace fieldpost {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before threads start
  return value == nullptr ? std::string{} : std::string{value};
}

std::optional<std::int64_t> positive(const std::string& text) {
  std::int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || number <= 0) return {};
  return number;
}

}  // namespace

ServiceNotice::Environment ServiceNotice::environment() {
  return {variable("NOTIFY_SOCKET"), variable("WATCHDOG_USEC"), variable("WATCHDOG_PID")};
}

ServiceNotice::ServiceNotice(Environment environment)
    : socket_name_{std::move(environment.notify_socket)} {
  if (!socket_name_.empty()) {
    socket_ = FileDescriptor{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  }
  const auto usec = positive(environment.watchdog_usec);
  const bool for_us =
      environment.watchdog_pid.empty() || positive(environment.watchdog_pid) == ::getpid();
  // 2^53 us is 285 years; beyond, the number is not a time and would overflow as nanoseconds.
  if (usec && for_us && *usec < (1LL << 53)) {
    alive_interval_ = std::chrono::microseconds{*usec} / 2;
  }
}

void ServiceNotice::ready(std::string_view status) const {
  send("READY=1\nSTATUS=" + std::string{status});
}

void ServiceNotice::status(std::string_view status) const { send("STATUS=" + std::string{status}); }

void ServiceNotice::reloading() const {
  // Type=notify-reload of systemd 253 and later wants the time as well.
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t usec = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec));
}

void ServiceNotice::stopping() const { send("STOPPING=1"); }

void ServiceNotice::alive() const { send("WATCHDOG=1"); }

void ServiceNotice::send(const std::string& text) const {
  if (!socket_) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_name_.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, socket_name_.data(), socket_name_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const std::size_t bytes = offsetof(sockaddr_un, sun_path) + socket_name_.size();
  // Nothing to be done when nobody reads: systemd will notice by itself.
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): that is the socket API
  ::sendto(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(bytes));
}

}  // namespace fieldpost
