// SPDX-License-Identifier: Apache-2.0
// A series is a metric name with its labels, unit, kind and valid range: what a sample is a sample of.
// Names, labels and units are Prometheus' (https://prometheus.io/docs/practices/naming/); host and NIC
// series carry node_exporter's exact names, so that existing dashboards work.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
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
///
/// Any thread may call any member: a driver on the worker meets a new device while the loop looks up
/// an old one. Looking up takes no lock, because the storage never moves.
class SeriesTable {
 public:
  static constexpr std::size_t kSeriesMax = 20'000;

  SeriesTable();
  SeriesTable(const SeriesTable&) = delete;
  SeriesTable& operator=(const SeriesTable&) = delete;

  /// Errors: Full at kSeriesMax; counted in refused()
  Result<SeriesId> add(Series series);

  const Series& operator[](SeriesId id) const { return series_.data()[index(id)]; }
  std::size_t size() const noexcept { return size_.load(std::memory_order_acquire); }
  std::span<const Series> all() const noexcept { return {series_.data(), size()}; }

  /// How many additions were answered with Full.
  std::uint64_t refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

 private:
  std::mutex adding_;
  std::vector<Series> series_;  ///< reserved once for kSeriesMax; untouched pages cost nothing
  std::unordered_map<std::string, SeriesId> by_text_;
  std::atomic<std::size_t> size_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
};

}  // namespace fieldpost
