// SPDX-License-Identifier: Apache-2.0
// A recording of `fieldpost sources --record`, replayed over and over: real series, real values, real instants.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hal/sample.hpp"
#include "hal/series.hpp"

namespace fieldpost {

class CapturedFeed {
 public:
  /// Adds the recording's series to `table`. Ends the program with a sentence if `path` (gzip) is not such a recording.
  CapturedFeed(SeriesTable& table, const std::string& path);

  std::size_t series() const noexcept { return series_.size(); }
  nanoseconds length() const noexcept { return length_; }

  /// What was read in [from, from + step) after `begin`, with times from `begin` on; `take` is told which samples changed. The
  /// recording begins anew when it is over.
  void play(BootTime begin, nanoseconds from, nanoseconds step, const std::function<void(const Sample&, bool changed)>& take);

 private:
  struct Moment {
    Sample sample;       ///< its time counts from the recording's beginning
    bool changed = false;
  };
  std::vector<SeriesId> series_;
  std::vector<Moment> moments_;
  nanoseconds length_{};
  std::size_t next_ = 0;
  std::uint64_t rounds_ = 0;
};

}  // namespace fieldpost
