// SPDX-License-Identifier: Apache-2.0
// `./dev bench store`: what a sample costs on the disk, on the flash, on the wire and in time. 500 series at
// 1 s, flushed every 10 s, on a real directory ($TMPDIR or /var/tmp), with two feeds: one in which every
// sample changes, and one like the capture of reference/peers.md section 3, in which a tenth does. The second
// is shown with every sample kept and as report-on-change leaves it; so is a recording of a real machine under load
// (tests/captured/readings.txt.gz, made by `fieldpost sources --record`), played over and over. Beside it what others do with the same samples.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

#include "agent/store/store_disk.hpp"
#include "agent/sync/message_json.hpp"
#include "tests/bench/captured_feed.hpp"
#include "tests/bench/cost.hpp"
#include "tests/bench/feed.hpp"
#include "tests/bench/store_peers.hpp"

namespace fieldpost {
namespace {

struct Figures {
  std::uint64_t read = 0;   ///< samples that the sources gave
  std::uint64_t kept = 0;   ///< of them in the store
  std::uint64_t segments = 0;
  std::uint64_t segment_bytes = 0;
  std::uint64_t series_bytes = 0;  ///< of them for the names of the series, which each segment bears
  std::uint64_t json_bytes = 0;
  std::int64_t file_bytes = 0;
  std::int64_t written = 0;
  Seconds commit{};
  Seconds decode{};
  Seconds json{};
};

/// Gives the samples of the second that begins at `now`, and says which changed.
using Second = std::function<void(BootTime now, const std::function<void(const Sample&, bool changed)>& take)>;

/// How a feed is kept.
struct Keeping {
  bool report_on_change = false;
  bool merges = false;  ///< when it is idle, as the store does while the link is away
};

std::size_t series_bytes_of(const SegmentHeader& header, const SegmentContent& content) {
  SegmentHeader nothing = header;
  nothing.samples = nothing.summaries = nothing.events = nothing.gaps = 0;
  const SegmentContent names{.series = content.series, .samples = {}, .summaries = {}, .events = {}, .gaps = {}};
  return encode_segment(nothing, names)->size();
}

Figures run(const SeriesTable& table, const Second& second, Keeping keeping, int flushes) {
  Figures figures;
  const SystemClock clock;
  Log log{clock, LogLevel::warn};
  StoreOptions options;
  options.directory = new_directory();
  StoreDisk disk{options, {}, log, table};
  BootTime now = clock.now();
  const auto moment = [&clock, &now] { return OutboxMoment{clock.boot_id(), now}; };
  DiskWork start;
  start.moment = moment();
  disk.commit(start);

  const std::int64_t written_before = written_bytes();
  bool is_first = true;
  for (int flush = 0; flush < flushes; ++flush) {
    DiskWork work;
    for (int tick = 0; tick < kTicksAFlush; ++tick, now += std::chrono::seconds{1}) {
      second(now, [&](const Sample& sample, bool changed) {
        ++figures.read;
        if (keeping.report_on_change && !changed && !is_first) return;
        ++figures.kept;
        work.batches[index(Lane::live)].add(sample);
      });
      is_first = false;
    }
    work.moment = moment();
    const Seconds before = cpu_time();
    disk.commit(work);
    figures.commit += cpu_time() - before;
    if (!work.result) {
      std::fprintf(stderr, "commit: %s\n", work.result.error().sentence().c_str());
      std::exit(1);
    }
    for (const OutboxOutcome& outcome : work.outcomes) {
      figures.segments += outcome.durable.size();
    }
    while (keeping.merges && disk.tidy()) {
    }
  }
  figures.file_bytes = disk.figures().file_bytes;

  std::array<std::uint64_t, kLanes.size()> dropped{};
  const auto rows = disk.peek(Lane::live, 0, 1'000'000, 1U << 30U, dropped);
  for (const OutboxRow& row : rows) {
    Seconds before = cpu_time();
    const auto content = decode_segment_content(row.bytes);
    figures.decode += cpu_time() - before;
    figures.segment_bytes += row.bytes.size();
    figures.series_bytes += series_bytes_of(row.header, *content);
    before = cpu_time();
    const auto message = to_json_message("gateway-1", row.header, *content,
                                         [](const BootId&, BootTime) { return std::optional<Store::UtcStamp>{}; }, 128'000);
    figures.json += cpu_time() - before;
    if (!message) {
      std::fprintf(stderr, "message: %s\n", message.error().sentence().c_str());
      std::exit(1);
    }
    figures.json_bytes += message->size();
  }
  disk.close();  // with the checkpoint that comes sooner or later
  figures.written = written_before < 0 ? -1 : written_bytes() - written_before;
  remove_directory(options.directory);
  return figures;
}

Figures run(double changing, Keeping keeping, int flushes) {
  SeriesTable table;
  Feed feed{table, changing};
  return run(table, [&feed](BootTime now, const auto& take) { feed.tick(now, take); }, keeping, flushes);
}

Figures run_captured(const std::string& path, Keeping keeping, int flushes) {
  SeriesTable table;
  CapturedFeed feed{table, path};
  std::optional<BootTime> begin;
  const auto second = [&feed, &begin](BootTime now, const auto& take) {
    if (!begin) begin = now;
    feed.play(*begin, now - *begin, seconds{1}, take);
  };
  return run(table, second, keeping, flushes);
}

void print(const char* name, const Figures& figures) {
  const auto a_sample = [&figures](double amount) { return amount / static_cast<double>(figures.read); };
  const auto kept_nanoseconds = [&figures](Seconds time) { return time.count() * 1e9 / static_cast<double>(figures.kept); };
  std::printf("%-34s %9llu %9llu %8.3f %8.3f %8.3f %8.3f %8.3f %8.0f %8.0f %8.0f\n", name,
              static_cast<unsigned long long>(figures.read), static_cast<unsigned long long>(figures.kept),
              a_sample(static_cast<double>(figures.segment_bytes)), a_sample(static_cast<double>(figures.series_bytes)), a_sample(static_cast<double>(figures.file_bytes)),
              a_sample(static_cast<double>(figures.written)), a_sample(static_cast<double>(figures.json_bytes)),
              kept_nanoseconds(figures.commit), kept_nanoseconds(figures.decode), kept_nanoseconds(figures.json));
}

void print(const char* name, const PeerFigures& figures) {
  const auto samples = static_cast<double>(figures.samples);
  std::printf("%-34s %9llu %9llu %8s %8s %8.3f %8.3f %8s %8.0f\n", name, static_cast<unsigned long long>(figures.samples),
              static_cast<unsigned long long>(figures.samples), "", "", static_cast<double>(figures.file_bytes) / samples,
              static_cast<double>(figures.written) / samples, "", figures.cpu.count() * 1e9 / samples);
}

}  // namespace
}  // namespace fieldpost

int main(int count, char** arguments) {
  const int flushes = count > 1 ? std::atoi(arguments[1]) : 360;
  std::printf("%d series at 1 s, a commit (synchronous=FULL) every %d s, %d commits; bytes a sample that was read, ns of CPU a sample kept\n",
              fieldpost::kSeries, fieldpost::kTicksAFlush, flushes);
  std::printf("%-34s %9s %9s %8s %8s %8s %8s %8s %8s %8s %8s\n", "", "read", "kept", "segment", "names", "on disk", "written", "JSON", "commit", "decode",
              "to JSON");
  fieldpost::print("every sample changes", fieldpost::run(1.0, {}, flushes));
  fieldpost::print("a tenth changes, all kept", fieldpost::run(0.1, {}, flushes));
  fieldpost::print("a tenth changes, report on change", fieldpost::run(0.1, {.report_on_change = true}, flushes));
  const std::string captured = count > 2 ? arguments[2] : "tests/captured/readings.txt.gz";
  fieldpost::print("recorded, all kept", fieldpost::run_captured(captured, {}, flushes));
  fieldpost::print("recorded, report on change", fieldpost::run_captured(captured, {.report_on_change = true}, flushes));
  fieldpost::print("the same, merged when idle", fieldpost::run_captured(captured, {.report_on_change = true, .merges = true}, flushes));
  const auto samples = static_cast<std::uint64_t>(flushes) * fieldpost::kTicksAFlush * fieldpost::kSeries;
  std::printf("beside it, every sample changes:\n");
  fieldpost::print("SQLite rows, 1,000 a commit", fieldpost::rows_in_sqlite(1.0, samples, 1'000));
  fieldpost::print("SQLite rows, 1 a commit", fieldpost::rows_in_sqlite(1.0, samples / 50, 1));  // it takes long
  fieldpost::print("raw records appended and synced", fieldpost::raw_append(1.0, samples));
  std::printf("budgets (DESIGN 14), real capture with report on change: 0.5 on disk, 1 written; 200 ns to durable\n");
  return 0;
}
