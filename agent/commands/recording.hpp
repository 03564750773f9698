// SPDX-License-Identifier: Apache-2.0
// `fieldpost sources --record`: what the real sources give, sample by sample, in a plain text that a bench can replay
// (README.md has the format).
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "agent/sampling/source_schedule.hpp"
#include "hal/sample.hpp"

namespace fieldpost {

/// Writes one line a series when it is first met, one line an instant, one line a sample.
class Recording final : public SampleSink {
 public:
  /// Both lent, both outlive it.
  Recording(const SeriesTable& table, std::FILE& file);
  void accept(const Sample& sample) override;
  std::uint64_t samples() const noexcept { return samples_; }

 private:
  void write(std::string_view line);

  const SeriesTable& table_;
  std::FILE& file_;
  std::vector<std::optional<std::string>> newest_;  ///< by series: nothing before its line is written
  std::optional<BootTime> now_;
  std::uint64_t samples_ = 0;
};

/// Reads the sources at their intervals for so long, or until SIGINT or SIGTERM. Returns how many samples were written.
/// Errors: NotPresent, Denied, Io, Full (the file), and as SourceSchedule::add
Result<std::uint64_t> record_sources(const std::string& path, nanoseconds length, const FileTree& tree, std::vector<SourcePlan> plans);

}  // namespace fieldpost
