// SPDX-License-Identifier: Apache-2.0
// One sysfs attribute that holds one number and feeds one series: most of hwmon, thermal, cpufreq.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hal/sample.hpp"
#include "platform/file_tree.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// How the number in the file becomes the value. Multiplying and dividing round differently in the
/// last bit; each series does what node_exporter does for it.
struct AttributeScale {
  double times = 1;
  double over = 1;
  bool is_one() const noexcept { return times == 1 && over == 1; }
};

/// Reads the number in `file`.
/// Errors: Malformed     no whole number; above all an empty file, which is how some drivers say
///                       "no answer" (seen with w1_therm 6.1: zero bytes and no errno)
///         Unavailable   EAGAIN twice: some drivers answer it while they measure, so it is tried again once
///         NotPresent, Io
Result<std::int64_t> read_attribute(KeptFile& file);

struct Attribute {
  KeptFile file;
  SeriesId series{};
  AttributeScale scale;
};

/// Reads each and passes on those that could be read; one that fails is left out. Gives how many failed.
/// Errors: the last one, when there are attributes and not one could be read
Result<std::size_t> read_attributes(std::vector<Attribute>& attributes, SampleSink& sink, BootTime now);

}  // namespace fieldpost
