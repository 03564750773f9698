// SPDX-License-Identifier: Apache-2.0
// What a machine (or a captured tree) offers: every driver that runs without being configured is
// opened and read, and what came of it is listed. For `fieldpost sources` and the golden tests.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "hal/source.hpp"

namespace fieldpost {

struct SurveyedSource {
  const Driver* driver;
  std::vector<Sample> samples;   ///< in the order read; empty when there is an error
  std::optional<Error> absent;   ///< why it could not be opened or read; NotPresent = not on this machine
};

struct Survey {
  std::unique_ptr<SeriesTable> series;  ///< what the samples' ids mean
  std::vector<SurveyedSource> sources;  ///< in the order of the drivers

  /// All samples of all sources, as to_prometheus_text wants them.
  std::vector<Sample> samples() const;
};

/// Opens and reads every driver of `drivers` that is on by default, once, without options, in the
/// calling thread. `now` becomes the samples' time.
///
/// Blocks: as long as the drivers do; a slow sensor bus takes a second
Survey survey(const FileTree& tree, std::span<const Driver> drivers, BootTime now);

}  // namespace fieldpost
