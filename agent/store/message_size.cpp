// SPDX-License-Identifier: Apache-2.0
// Numbers by their digits, texts by what JSON's escapes can make of them.
#include "agent/store/message_size.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/store/time_column.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kDoubleBytesMax = 24;  // -2.2250738585072014e-308
// {"name":,"labels":{},"unit":,"kind":"counter","samples":{"t":12345,"v":[],"q":[]}},
constexpr std::size_t kSeriesFrameBytes = 88;
constexpr std::size_t kTimesFrameBytes = 8;
constexpr std::size_t kSummaryFrameBytes = 240;  // member names, if it is the only one of its series
constexpr std::size_t kEventFrameBytes = 128;
constexpr std::size_t kGapFrameBytes = 320;

/// From the number of bits, log10(2) = 1233/4096; the power of ten settles the rest.
std::size_t digits_of(std::uint64_t magnitude) {
  static constexpr auto kPowers = [] {
    std::array<std::uint64_t, 20> powers{1};
    for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
    return powers;
  }();
  const std::size_t guess = static_cast<unsigned>(std::bit_width(magnitude | 1)) * std::size_t{1233} >> 12U;
  return guess + (magnitude >= kPowers[guess] ? 1 : 0) + (magnitude == 0 ? 1 : 0);
}

std::size_t integer_bytes(std::int64_t value) {
  const std::uint64_t magnitude = value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  return digits_of(magnitude) + (value < 0 ? 1 : 0) + 2;  // the quotes of a large one
}

/// A control character becomes \u001f; a byte of no character becomes U+FFFD, three bytes.
constexpr auto kEscapedBytes = [] {
  std::array<std::uint8_t, 256> bytes{};
  for (std::size_t c = 0; c < bytes.size(); ++c) bytes[c] = c < 0x20 ? 6 : c >= 0x80 ? 3 : c == '"' || c == '\\' ? 2 : 1;
  return bytes;
}();

std::size_t text_bytes(std::string_view text) {
  std::size_t bytes = 2;
  for (const char c : text) bytes += kEscapedBytes[static_cast<unsigned char>(c)];
  return bytes;
}

std::size_t labels_bytes(std::span<const Label> labels) {
  std::size_t bytes = 0;
  for (const Label& label : labels) bytes += text_bytes(label.name) + text_bytes(label.value) + 2;
  return bytes;
}

/// Short decimals, which most doubles from sensors are, are not as long as any double may be.
std::size_t double_bytes(double value) {
  constexpr double kScale = 1000;
  constexpr double kShortBelow = 1e12;
  const double scaled = value * kScale;
  if (!(std::fabs(scaled) < kShortBelow)) return kDoubleBytesMax;
  const auto integer = static_cast<std::int64_t>(scaled);
  if (static_cast<double>(integer) / kScale != value) return kDoubleBytesMax;
  return integer_bytes(integer) + 6;  // point, leading zero, "e-05" where that is shorter
}

/// A column stands for each rank that any summary of a series has; who has no such rank writes ",null" there.
std::size_t nulls_bytes(std::span<const Summary> summaries) {
  constexpr std::size_t kNullBytes = 5;
  std::vector<double> ranks;  // a handful, as configured
  for (const Summary& summary : summaries) {
    for (const Quantile& quantile : summary.quantiles) {
      if (std::find(ranks.begin(), ranks.end(), quantile.rank) == ranks.end()) ranks.push_back(quantile.rank);
    }
  }
  std::size_t bytes = 0;
  for (const Summary& summary : summaries) bytes += (ranks.size() - std::min(ranks.size(), summary.quantiles.size())) * kNullBytes;
  return bytes;
}

}  // namespace

std::size_t message_bytes_bound(const Series& series) {
  return kSeriesFrameBytes + text_bytes(series.name) + text_bytes(series.unit) + labels_bytes(series.labels);
}

std::size_t message_bytes_bound(const Value& value) {
  return (value.is_integer() ? integer_bytes(value.integer()) : double_bytes(value.real())) + 1;
}

std::size_t message_bytes_bound(const Summary& summary) {
  // Ranks are names of columns; times may share a vector with no other.
  constexpr std::size_t kQuantileBytes = 2 * kDoubleBytesMax + 12;
  constexpr std::size_t kTimesBytes = 2 * 24;
  return kSummaryFrameBytes + kTimesBytes + message_bytes_bound(summary.min) + message_bytes_bound(summary.max) +
         message_bytes_bound(summary.last) + 4 * kDoubleBytesMax + 3 * 12 + summary.quantiles.size() * kQuantileBytes;
}

std::size_t message_bytes_bound(const Event& event) {
  return kEventFrameBytes + text_bytes(event.name) + text_bytes(event.message) + labels_bytes(event.labels);
}

std::size_t message_bytes_bound(const Gap&) { return kGapFrameBytes; }

std::size_t message_bytes_bound(BootTime first, const SegmentView& content) {
  constexpr std::size_t kQualityBytes = 2;
  std::size_t bytes = kMessageFrameBytes;
  for (const Series* series : content.series) bytes += message_bytes_bound(*series);
  bytes += nulls_bytes(content.summaries);
  for (const Summary& summary : content.summaries) bytes += message_bytes_bound(summary);
  for (const Event& event : content.events) bytes += message_bytes_bound(event);
  for (const Gap& gap : content.gaps) bytes += message_bytes_bound(gap);

  TimeColumn times;
  BootTime earliest = first;
  BootTime latest = first;
  bool all_good = true;
  for (std::size_t i = 0; i < content.samples.size();) {
    const std::size_t begin = i;
    for (; i < content.samples.size() && content.samples[i].series == content.samples[begin].series; ++i) {
      const Sample& sample = content.samples[i];
      bytes += message_bytes_bound(sample.value);
      all_good = all_good && sample.quality == Quality::good;
      earliest = std::min(earliest, sample.time);
      latest = std::max(latest, sample.time);
    }
    times.add(content.samples.subspan(begin, i - begin));
  }
  if (!all_good) bytes += content.samples.size() * kQualityBytes;
  const auto offset_max = std::chrono::ceil<milliseconds>(std::max(first - earliest, latest - first)).count();
  bytes += times.times() * (integer_bytes(offset_max) + 3) + times.lists() * kTimesFrameBytes;
  return bytes;
}

}  // namespace fieldpost
