// SPDX-License-Identifier: Apache-2.0
// What reading costs: our drivers against a bare loop that preads and parses the same files, with
// nothing in between. Budget: the drivers at most 1.3 times the bare loop (hal/README.md).
//
//     hal_read drivers|bare ROUNDS [PERIOD_MS]
//
// Prints samples a round and CPU time. With a period it sleeps between rounds, as the agent does:
// then caches are cold, which costs more than the reading itself. For instructions and system calls
// see hal/README.md.
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

#include "hal/source.hpp"

namespace {

using namespace fieldpost;

/// The drivers whose cost counts at every tick: on the loop, on by default, on this machine. Not
/// those that read no file.
constexpr std::array<std::string_view, 8> kDrivers{"cpu",  "memory",        "vmstat", "load", "pressure",
                                                   "disk", "kernel_limits", "network"};

class Adding final : public SampleSink {
 public:
  void accept(const Sample& sample) override {
    ++count;
    sum += sample.value.real();
  }
  std::size_t count = 0;
  double sum = 0;
};

/// The bare loop: every file that those drivers read, whole, each number taken in one pass.
class Bare {
 public:
  Bare() {
    for (const char* path : kFiles) {
      const int descriptor = ::open(path, O_RDONLY | O_CLOEXEC);
      if (descriptor >= 0) files_.emplace_back(descriptor, path);
    }
    netlink_ = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  }

  void round() {
    for (const auto& [file, path] : files_) {
      std::size_t size = 0;
      while (true) {
        const ssize_t got = ::pread(file, buffer_.data() + size, buffer_.size() - size, static_cast<off_t>(size));
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
        if (size < kSurelyLast) break;
      }
      parse(size, path);
    }
    links();
  }

  std::size_t count = 0;
  double sum = 0;

 private:
  static constexpr std::size_t kSurelyLast = 2048;
  static constexpr std::array<const char*, 10> kFiles{
      "/proc/stat", "/proc/meminfo", "/proc/vmstat", "/proc/loadavg", "/proc/pressure/cpu",
      "/proc/pressure/io", "/proc/pressure/memory", "/proc/diskstats", "/proc/sys/fs/file-nr",
      "/proc/sys/kernel/random/entropy_avail"};

  /// Lines that the drivers step over are stepped over here, too: the sum of all CPUs, the tail of the
  /// interrupts, loops and RAM disks, most of vmstat.
  bool wants_line(const char* line, const char* path) const {
    const auto starts = [line](std::string_view with) { return std::memcmp(line, with.data(), with.size()) == 0; };
    if (path == kFiles[0]) return !starts("cpu ") && !starts("softirq");
    if (path == kFiles[2]) {
      return *line == 'p' ? starts("pgpg") || starts("pswp") || starts("pgfault") || starts("pgmajfault") : starts("oom_kill");
    }
    if (path == kFiles[7]) return !starts("   7 ") && !starts("   1 ") && !starts(" 253 ");
    return true;
  }

  void parse(std::size_t size, const char* path) {
    const char* at = buffer_.data();
    const char* const end = at + size;
    while (at < end) {
      const bool wanted = wants_line(at, path);
      const bool first_only = *at == 'i' && path == kFiles[0];
      while (wanted && at != end && *at != '\n') {
        const auto digit = static_cast<unsigned>(*at++) - '0';
        if (digit > 9) continue;
        std::uint64_t value = digit;
        for (; at != end && static_cast<unsigned>(*at) - '0' <= 9; ++at) value = value * 10 + (static_cast<unsigned>(*at) - '0');
        ++count;
        sum += static_cast<double>(value);
        if (first_only) break;
      }
      const auto* newline = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
      at = newline == nullptr ? end : newline + 1;
    }
  }

  void links() {
    struct {
      nlmsghdr header;
      if_stats_msg stats;
    } request{};
    request.header.nlmsg_len = sizeof(request);
    request.header.nlmsg_type = RTM_GETSTATS;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.stats.filter_mask = 1;
    if (::send(netlink_, &request, sizeof(request), 0) < 0) std::abort();
    while (true) {
      const ssize_t length = ::recv(netlink_, buffer_.data(), 32768, 0);
      if (length < 0) std::abort();
      const char* at = buffer_.data();
      for (nlmsghdr header{}; at < buffer_.data() + length; at += (header.nlmsg_len + 3) & ~3U) {
        std::memcpy(&header, at, sizeof(header));
        if (header.nlmsg_type == NLMSG_DONE) return;
        std::array<std::uint64_t, 24> stats{};
        std::memcpy(stats.data(), at + sizeof(header) + sizeof(if_stats_msg) + sizeof(nlattr), sizeof(stats));
        for (const std::uint64_t value : stats) sum += static_cast<double>(value);
        count += stats.size();
      }
    }
  }

  std::vector<std::pair<int, const char*>> files_;
  int netlink_ = -1;
  alignas(8) std::array<char, 65536> buffer_{};
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

void measure(const char* what, int rounds, int period_ms, const std::function<void()>& round, const std::size_t& count) {
  round();  // opening and growing buffers is no part of it
  round();
  const std::size_t count_before = count;
  const double before = cpu_seconds();
  for (int i = 0; i < rounds; ++i) {
    if (period_ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds{period_ms});
    round();
  }
  const double spent = (cpu_seconds() - before) / rounds;
  const double samples = static_cast<double>(count - count_before) / rounds;
  std::printf("%s: %.0f samples a round, %.1f us CPU a round, %.3f ms CPU per 1000 samples\n", what, samples,
              spent * 1e6, spent * 1e6 / samples);
}

}  // namespace

int main(int argument_count, char** arguments) {
  const std::string_view mode = argument_count > 2 ? arguments[1] : "";
  const int rounds = argument_count > 2 ? std::atoi(arguments[2]) : 0;
  const int period_ms = argument_count > 3 ? std::atoi(arguments[3]) : 0;
  if (rounds <= 0 || (mode != "drivers" && mode != "bare")) {
    std::fputs("usage: hal_read drivers|bare ROUNDS [PERIOD_MS]\n", stderr);
    return 2;
  }
  if (mode == "bare") {
    Bare bare;
    measure("bare", rounds, period_ms, [&] { bare.round(); }, bare.count);
    return 0;
  }
  const FileTree tree{"/"};
  SeriesTable series;
  const OptionValues options;
  std::vector<std::unique_ptr<Source>> sources;
  for (const std::string_view name : kDrivers) {
    const Driver* driver = find_driver(name);
    if (driver == nullptr) return 2;
    if (auto source = driver->open({tree, series, options, name})) sources.push_back(std::move(*source));
  }
  const SystemClock clock;
  Adding sink;
  measure("drivers", rounds, period_ms, [&] {
    const BootTime now = clock.now();
    for (const auto& source : sources) {
      if (!source->read(sink, now)) std::abort();
    }
  }, sink.count);
  return 0;
}
