// SPDX-License-Identifier: Apache-2.0
// A series is a metric name with its labels, unit, kind and valid range: what a sample is a sample of.
// Names, labels and units are Prometheus' (https://prometheus.io/docs/practices/naming/); host and NIC
// series carry node_exporter's exact names, so that existing dashboards work.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "platform/result.hpp"

namespace fieldpost {

enum class SeriesKind : std::uint8_t {
  counter,  ///< only grows, but for wraps and resets
  gauge,    ///< goes up and down
  state,    ///< one of a few values; no mean makes sense
};

std::string_view to_string(SeriesKind kind) noexcept;

struct Label {
  std::string name;
  std::string value;
  friend bool operator==(const Label&, const Label&) = default;
};

struct ValidRange {
  double min;
  double max;
};

struct Series {
  std::string name;           ///< "node_network_receive_bytes_total"
  std::vector<Label> labels;  ///< in the order node_exporter prints them
  std::string unit;           ///< "bytes", "seconds", "celsius", "ratio"; empty = a plain count
  SeriesKind kind = SeriesKind::gauge;
  std::string help;                        ///< one line, for people
  std::optional<ValidRange> valid_range{}; ///< outside is not believed (data sheet, kernel ABI)
  /// A counter that wraps does so at this value (2^32 for a 32-bit register); 0: it never wraps.
  double wraps_at = 0;
};

/// name{label="value",...}, escaped as in the Prometheus text format; the key of a series.
std::string to_text(const Series& series);

/// Dense index into the SeriesTable of this run; never leaves the process.
enum class SeriesId : std::uint32_t {};

constexpr std::uint32_t index(SeriesId id) noexcept { return static_cast<std::uint32_t>(id); }

/// All series of this run. Drivers add theirs when they open or when a device appears; ids stay valid
/// for the life of the process, and a series added twice keeps its id.
class SeriesTable {
 public:
  static constexpr std::size_t kSeriesMax = 20'000;

  /// Errors: Full at kSeriesMax (the caller counts what it could not add)
  Result<SeriesId> add(Series series);

  const Series& operator[](SeriesId id) const { return series_[index(id)]; }
  std::size_t size() const noexcept { return series_.size(); }
  std::span<const Series> all() const noexcept { return series_; }

 private:
  std::vector<Series> series_;
  std::unordered_map<std::string, SeriesId> by_text_;
};

}  // namespace fieldpost
