// SPDX-License-Identifier: Apache-2.0
// Counters of every block device, out of one read of /proc/diskstats.
#include "hal/host/disk.hpp"

#include <algorithm>

#include "hal/metric.hpp"
#include "hal/steady_rows.hpp"

namespace fieldpost {
namespace {

/// A sector of /proc/diskstats, whatever the disk's own is.
constexpr std::uint64_t kSectorBytes = 512;

/// Multiplied, not divided by 1000: so does node_exporter, and the last bit differs.
constexpr double kSecondsPerMillisecond = 0.001;

constexpr auto kCounter = SeriesKind::counter;
constexpr std::array<Metric, DiskstatsLine::kFieldsMax> kMetrics{{
    {"node_disk_reads_completed_total", "The total number of reads completed successfully.", "", kCounter},
    {"node_disk_reads_merged_total", "The total number of reads merged.", "", kCounter},
    {"node_disk_read_bytes_total", "The total number of bytes read successfully.", "bytes", kCounter},
    {"node_disk_read_time_seconds_total", "The total number of seconds spent by all reads.", "seconds", kCounter},
    {"node_disk_writes_completed_total", "The total number of writes completed successfully.", "", kCounter},
    {"node_disk_writes_merged_total", "The number of writes merged.", "", kCounter},
    {"node_disk_written_bytes_total", "The total number of bytes written successfully.", "bytes", kCounter},
    {"node_disk_write_time_seconds_total", "This is the total number of seconds spent by all writes.", "seconds", kCounter},
    {"node_disk_io_now", "The number of I/Os currently in progress."},
    {"node_disk_io_time_seconds_total", "Total seconds spent doing I/Os.", "seconds", kCounter},
    {"node_disk_io_time_weighted_seconds_total", "The weighted # of seconds spent doing I/Os.", "seconds", kCounter},
    {"node_disk_discards_completed_total", "The total number of discards completed successfully.", "", kCounter},
    {"node_disk_discards_merged_total", "The total number of discards merged.", "", kCounter},
    {"node_disk_discarded_sectors_total", "The total number of sectors discarded successfully.", "", kCounter},
    {"node_disk_discard_time_seconds_total", "This is the total number of seconds spent by all discards.", "seconds", kCounter},
    {"node_disk_flush_requests_total", "The total number of flush requests completed successfully", "", kCounter},
    {"node_disk_flush_requests_time_seconds_total", "This is the total number of seconds spent by all flush requests.", "seconds", kCounter},
}};

constexpr Metric kIdentity{"node_disk_info", "Info of /sys/block/<block_device>.", "", SeriesKind::state};

enum class Conversion : std::uint8_t { none, sectors_to_bytes, milliseconds_to_seconds };

constexpr std::array<Conversion, DiskstatsLine::kFieldsMax> kConversions = [] {
  std::array<Conversion, DiskstatsLine::kFieldsMax> conversions{};
  for (std::size_t i = 0; i < conversions.size(); ++i) {
    if (kMetrics[i].unit == "bytes") conversions[i] = Conversion::sectors_to_bytes;
    if (kMetrics[i].unit == "seconds") conversions[i] = Conversion::milliseconds_to_seconds;
  }
  return conversions;
}();

Value converted(std::uint64_t field, Conversion conversion) {
  switch (conversion) {
    case Conversion::sectors_to_bytes: return field * kSectorBytes;
    case Conversion::milliseconds_to_seconds: return static_cast<double>(field) * kSecondsPerMillisecond;
    case Conversion::none: break;
  }
  return field;
}

struct Disk {
  std::array<SeriesId, DiskstatsLine::kFieldsMax> series{};
  std::optional<SeriesId> identity;
};

/// What udev wrote down about the device; node_exporter takes its labels from there, too.
struct UdevFacts {
  std::string model, path, revision, serial, wwn;
};

UdevFacts read_udev_facts(const FileTree& tree, const DiskstatsLine& line) {
  UdevFacts facts;
  const auto text = tree.read("/run/udev/data/b" + std::to_string(line.major) + ":" +
                              std::to_string(line.minor));
  if (!text) return facts;  // no udev on this machine: the labels stay empty
  const std::array<std::pair<std::string_view, std::string*>, 5> wanted{{
      {"E:ID_MODEL=", &facts.model},
      {"E:ID_PATH=", &facts.path},
      {"E:ID_REVISION=", &facts.revision},
      {"E:ID_SERIAL_SHORT=", &facts.serial},
      {"E:ID_WWN=", &facts.wwn},
  }};
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    for (const auto& [key, value] : wanted) {
      if (entry.starts_with(key)) *value = entry.substr(key.size());
    }
  }
  return facts;
}

class DiskSource final : public Source {
 public:
  DiskSource(KeptFile file, const FileTree& tree, SeriesTable& series)
      : file_{std::move(file)}, tree_{tree}, series_{series} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    TextScanner scan{TRY(file_.read())};
    rows_.rewind();
    while (!scan.at_end()) {
      const auto line = parse_diskstats_line(scan, is_disk_of_interest);
      if (!line || line->field_count == 0) continue;
      const auto& disk = rows_.row(line->name, [&](std::string_view) { return add(*line); });
      if (!disk) continue;
      for (std::size_t i = 0; i < line->field_count; ++i) {
        sink.accept({disk->series[i], converted(line->fields[i], kConversions[i]), now});
      }
      if (disk->identity) sink.accept({*disk->identity, 1, now});
    }
    return {};
  }

 private:
  /// Nothing when the table of series is full.
  std::optional<Disk> add(const DiskstatsLine& line) {
    const std::string name{line.name};
    auto series = add_series(series_, kMetrics, {{"device", name}});
    if (!series) return std::nullopt;
    Disk disk{*series, std::nullopt};
    const UdevFacts facts = read_udev_facts(tree_, line);
    auto identity = add_series(series_, kIdentity,
                               {{"device", name},
                                {"major", std::to_string(line.major)},
                                {"minor", std::to_string(line.minor)},
                                {"model", facts.model},
                                {"path", facts.path},
                                {"revision", facts.revision},
                                {"serial", facts.serial},
                                {"wwn", facts.wwn}});
    if (identity) disk.identity = *identity;
    return disk;
  }

  KeptFile file_;
  const FileTree& tree_;
  SeriesTable& series_;
  SteadyRows<std::optional<Disk>> rows_;
};

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// True for "nvme0n1p2".
bool is_nvme_partition(std::string_view name) {
  if (!name.starts_with("nvme")) return false;
  const std::size_t n = name.find('n', 4);
  const std::size_t p = n == std::string_view::npos ? n : name.find('p', n);
  return p != std::string_view::npos && all_digits(name.substr(4, n - 4)) &&
         all_digits(name.substr(n + 1, p - n - 1)) && all_digits(name.substr(p + 1));
}

}  // namespace

bool is_disk_of_interest(std::string_view name) {
  for (const std::string_view prefix : {"ram", "zram", "loop", "fd"}) {
    if (name.starts_with(prefix) && all_digits(name.substr(prefix.size()))) return false;
  }
  for (const std::string_view prefix : {"hd", "sd", "vd", "xvd"}) {
    if (!name.starts_with(prefix) || name.size() < prefix.size() + 2) continue;
    const char letter = name[prefix.size()];
    if (letter >= 'a' && letter <= 'z' && all_digits(name.substr(prefix.size() + 1))) return false;
  }
  return !is_nvme_partition(name);
}

std::optional<DiskstatsLine> parse_diskstats_line(TextScanner& scan,
                                                  bool (*wanted)(std::string_view name)) {
  DiskstatsLine line;
  const auto major = scan.number();
  const auto minor = major ? scan.number() : std::nullopt;
  if (minor) line.name = scan.word();
  if (line.name.empty()) {
    scan.skip_line();
    return std::nullopt;
  }
  line.major = *major;
  line.minor = *minor;
  if (wanted(line.name)) {
    while (line.field_count < line.fields.size()) {
      const auto field = scan.number();
      if (!field) break;
      line.fields[line.field_count++] = *field;
    }
    if (line.field_count < DiskstatsLine::kFieldsMin) {
      scan.skip_line();
      return std::nullopt;
    }
  }
  scan.skip_line();
  return line;
}

Result<std::unique_ptr<Source>> open_disk(const SourceContext& context) {
  KeptFile file = TRY(context.tree.keep("/proc/diskstats"));
  return std::make_unique<DiskSource>(std::move(file), context.tree, context.series);
}

}  // namespace fieldpost
