// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/cost.hpp"

#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "platform/durable_file.hpp"

namespace fieldpost {

Seconds cpu_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

std::int64_t written_bytes() {
  const auto io = read_file("/proc/self/io", 4096);
  if (!io) return -1;
  const auto at = io->find("write_bytes: ");
  return at == std::string::npos ? -1 : std::atoll(io->c_str() + at + std::strlen("write_bytes: "));
}

std::string new_directory() {
  const char* const wanted = std::getenv("TMPDIR");
  std::string place = std::string{wanted == nullptr ? "/var/tmp" : wanted} + "/fieldpost-bench-XXXXXX";
  if (::mkdtemp(place.data()) == nullptr) {
    std::perror("mkdtemp");
    std::exit(1);
  }
  return place;
}

void remove_directory(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
}

}  // namespace fieldpost
