// SPDX-License-Identifier: Apache-2.0
// getrusage for the CPU time: /proc/self/stat counts in hundredths of a second only.
#include "agent/self/process_figures.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <charconv>

namespace fieldpost {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

Result<std::int64_t> parse_resident_pages(std::string_view statm) {
  const std::size_t blank = statm.find(' ');
  std::int64_t pages = 0;
  if (blank != std::string_view::npos) {
    const char* end = statm.data() + statm.size();
    const auto parsed = std::from_chars(statm.data() + blank + 1, end, pages);
    if (parsed.ec == std::errc{} && pages >= 0) return pages;
  }
  return Error{ErrorKind::Malformed, "/proc/self/statm: two numbers expected"};
}

Result<ProcessFigures> read_process_figures(const FileTree& machine) {
  ProcessFigures figures;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    figures.cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
  }
  const std::string statm = TRY(machine.read("/proc/self/statm"));
  figures.resident_bytes = TRY(parse_resident_pages(statm)) * ::sysconf(_SC_PAGESIZE);
  // One of them is the listing's own.
  figures.open_descriptors = static_cast<std::int64_t>(TRY(machine.list("/proc/self/fd")).size()) - 1;
  return figures;
}

}  // namespace fieldpost
