// SPDX-License-Identifier: Apache-2.0
// The floor under every collector: reads the files named on its command line with one pread each on
// kept descriptors, turns every number in them into an int64 or a double, dumps the links' counters
// from rtnetlink, and does nothing else. It names no series, keeps nothing and sends nothing. Run at the
// agent's own interval beside the agent (caches are as cold for it as for the agent: a tight loop
// flatters), it shows what the kernel's part of a collection costs.
//
//   bare_loop INTERVAL_MS SECONDS [--links] [--statvfs DIR]... FILE...
//
// It prints one line a tick to standard output: ticks, numbers parsed and its CPU nanoseconds so far.
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

namespace {

struct Floor {
  std::uint64_t numbers = 0;
  double sum = 0;  // uses every value, so that the compiler may leave nothing out

  void take(double value) {
    ++numbers;
    sum += value;
  }
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void parse_numbers(std::string_view text, Floor& floor) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    if (!is_digit(*at)) {
      // Digits inside a word ("cpu0", "vda1") are names; the word is skipped whole.
      if ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || *at == '_') {
        while (at < end && *at != ' ' && *at != '\n' && *at != '\t' && *at != ':') ++at;
      }
      ++at;
      continue;
    }
    std::uint64_t integer = 0;
    const auto whole = std::from_chars(at, end, integer);
    if (whole.ptr < end && *whole.ptr == '.') {
      double real = 0;
      const auto fraction = std::from_chars(at, end, real);
      floor.take(real);
      at = fraction.ptr;
    } else {
      floor.take(static_cast<double>(integer));
      at = whole.ptr == at ? at + 1 : whole.ptr;
    }
  }
}

void read_file(int descriptor, std::vector<char>& buffer, Floor& floor) {
  const ssize_t got = ::pread(descriptor, buffer.data(), buffer.size(), 0);
  if (got <= 0) return;
  std::string_view text{buffer.data(), static_cast<std::size_t>(got)};
  // The interrupt line of /proc/stat is thousands of zeros that nobody asks for.
  if (const auto interrupts = text.find("\nintr "); interrupts != std::string_view::npos) {
    parse_numbers(text.substr(0, interrupts), floor);
    const auto rest = text.find('\n', interrupts + 1);
    text = rest == std::string_view::npos ? std::string_view{} : text.substr(rest);
  }
  parse_numbers(text, floor);
}

void read_links(int netlink, std::vector<char>& buffer, Floor& floor) {
  struct {
    nlmsghdr header;
    ifinfomsg message;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  if (::send(netlink, &request, sizeof request, 0) < 0) return;
  for (;;) {
    const ssize_t got = ::recv(netlink, buffer.data(), buffer.size(), 0);
    if (got <= 0) return;
    auto left = static_cast<unsigned>(got);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) return;
      auto* const link = static_cast<ifinfomsg*>(NLMSG_DATA(header));
      auto room = static_cast<unsigned>(IFLA_PAYLOAD(header));
      for (auto* part = IFLA_RTA(link); RTA_OK(part, room); part = RTA_NEXT(part, room)) {
        if (part->rta_type != IFLA_STATS64) continue;
        std::array<std::uint64_t, sizeof(rtnl_link_stats64) / 8> counters{};
        const std::size_t size = RTA_PAYLOAD(part) < sizeof counters ? RTA_PAYLOAD(part) : sizeof counters;
        std::memcpy(counters.data(), RTA_DATA(part), size);
        for (std::size_t i = 0; i < size / 8; ++i) floor.take(static_cast<double>(counters[i]));
      }
    }
  }
}

long long cpu_nanoseconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<long long>(used.tv_sec) * 1'000'000'000 + used.tv_nsec;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) {
    std::fprintf(stderr, "bare_loop INTERVAL_MS SECONDS [--links] [--statvfs DIR]... FILE...\n");
    return 2;
  }
  const long interval_ms = std::strtol(arguments[1], nullptr, 10);
  const long seconds = std::strtol(arguments[2], nullptr, 10);
  std::vector<int> files;
  std::vector<const char*> mounts;
  int netlink = -1;
  for (int i = 3; i < count; ++i) {
    if (std::strcmp(arguments[i], "--links") == 0) {
      netlink = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    } else if (std::strcmp(arguments[i], "--statvfs") == 0 && i + 1 < count) {
      mounts.push_back(arguments[++i]);
    } else if (const int file = ::open(arguments[i], O_RDONLY | O_CLOEXEC); file >= 0) {
      files.push_back(file);
    } else {
      std::perror(arguments[i]);
      return 1;
    }
  }

  std::vector<char> buffer(256U << 10U);
  Floor floor;
  timespec due{};
  ::clock_gettime(CLOCK_MONOTONIC, &due);
  const long ticks = seconds * 1000 / interval_ms;
  for (long tick = 1; tick <= ticks; ++tick) {
    due.tv_nsec += (interval_ms % 1000) * 1'000'000;
    due.tv_sec += interval_ms / 1000 + due.tv_nsec / 1'000'000'000;
    due.tv_nsec %= 1'000'000'000;
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr);

    for (const int file : files) read_file(file, buffer, floor);
    if (netlink >= 0) read_links(netlink, buffer, floor);
    for (const char* const mount : mounts) {
      struct statvfs answer {};
      if (::statvfs(mount, &answer) == 0) {
        floor.take(static_cast<double>(answer.f_blocks));
        floor.take(static_cast<double>(answer.f_bfree));
        floor.take(static_cast<double>(answer.f_bavail));
        floor.take(static_cast<double>(answer.f_files));
        floor.take(static_cast<double>(answer.f_ffree));
      }
    }
    std::printf("%ld %llu %lld %g\n", tick, static_cast<unsigned long long>(floor.numbers),
                cpu_nanoseconds(), floor.sum);
    std::fflush(stdout);
  }
  return 0;
}
