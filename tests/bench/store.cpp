// SPDX-License-Identifier: Apache-2.0
// `./dev bench store`: what a sample costs on the disk, on the flash, on the wire and in time. 500 series at
// 1 s, flushed every 10 s, on a real directory ($TMPDIR or /var/tmp), with two feeds: one in which every
// sample changes, and one like the capture of reference/peers.md section 3, in which a tenth does. The second
// is shown with every sample kept and as report-on-change leaves it.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>

#include "agent/store/store_disk.hpp"
#include "agent/sync/message_json.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

constexpr int kSeries = 500;
constexpr int kTicksAFlush = 10;

using Seconds = std::chrono::duration<double>;

/// Of the calling thread: the machine is shared.
Seconds cpu_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

/// What this process caused to be written to storage so far; -1 where the kernel does not count.
std::int64_t written_bytes() {
  const auto io = read_file("/proc/self/io", 4096);
  if (!io) return -1;
  const auto at = io->find("write_bytes: ");
  return at == std::string::npos ? -1 : std::atoll(io->c_str() + at + std::strlen("write_bytes: "));
}

/// 350 counters (40 % of them nearly idle), 100 sensors of two decimals, 50 whole gauges.
class Feed {
 public:
  Feed(SeriesTable& table, double changing) : changing_{changing} {
    for (int i = 0; i < kSeries; ++i) {
      Series series;
      const bool is_counter = i < 350;
      series.name = is_counter ? "node_network_" + std::to_string(i / 10) + "_bytes_total" : "node_hwmon_temp_" + std::to_string(i / 5) + "_celsius";
      series.labels = {{"device", "eth" + std::to_string(i % 10)}};
      series.unit = is_counter ? "bytes" : "celsius";
      series.kind = is_counter ? SeriesKind::counter : SeriesKind::gauge;
      ids_[i] = table.add(std::move(series)).value();
      counters_[i] = static_cast<std::int64_t>(chance_() % 4'000'000'000);
      sensors_[i] = 2'000 + static_cast<int>(chance_() % 4'000);
    }
  }

  /// One tick of all series; `keep` is told which samples changed.
  void tick(BootTime now, const std::function<void(const Sample&, bool changed)>& take) {
    for (int i = 0; i < kSeries; ++i) {
      const BootTime at = now + std::chrono::milliseconds{i / 50};  // one read time per 50 series
      const bool changes = std::uniform_real_distribution<>{}(chance_) < changing_;
      if (changes) {
        const bool is_idle = i % 5 < 2;
        counters_[i] += is_idle ? static_cast<std::int64_t>(chance_() % 8) + 1 : static_cast<std::int64_t>(chance_() % 150'000) + 1;
        sensors_[i] += static_cast<int>(chance_() % 21) - 10;
      }
      Value value{counters_[i]};
      if (i >= 350 && i < 450) value = sensors_[i] / 100.0;
      if (i >= 450) value = sensors_[i];
      take({ids_[i], value, at, Quality::good}, changes);
    }
  }

 private:
  std::mt19937_64 chance_{20'261'120};
  double changing_;
  SeriesId ids_[kSeries];
  std::int64_t counters_[kSeries];
  int sensors_[kSeries];
};

struct Figures {
  std::uint64_t read = 0;   ///< samples that the sources gave
  std::uint64_t kept = 0;   ///< of them in the store
  std::uint64_t segments = 0;
  std::uint64_t segment_bytes = 0;
  std::uint64_t json_bytes = 0;
  std::int64_t file_bytes = 0;
  std::int64_t written = 0;
  Seconds commit{};
  Seconds decode{};
  Seconds json{};
};

std::string new_directory() {
  const char* const wanted = std::getenv("TMPDIR");
  std::string place = std::string{wanted == nullptr ? "/var/tmp" : wanted} + "/fieldpost-bench-XXXXXX";
  if (::mkdtemp(place.data()) == nullptr) {
    std::perror("mkdtemp");
    std::exit(1);
  }
  return place;
}

Figures run(double changing, bool report_on_change, int flushes) {
  Figures figures;
  SeriesTable table;
  Feed feed{table, changing};
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
      feed.tick(now, [&](const Sample& sample, bool changed) {
        ++figures.read;
        if (report_on_change && !changed && !is_first) return;
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
      figures.segment_bytes += outcome.body_bytes;
    }
  }
  figures.file_bytes = disk.figures().file_bytes;

  std::array<std::uint64_t, kLanes.size()> dropped{};
  const auto rows = disk.fetch(Lane::live, 0, 1'000'000, 1U << 30U, dropped);
  for (const OutboxRow& row : rows) {
    Seconds before = cpu_time();
    const auto content = decode_segment_content(row.bytes);
    figures.decode += cpu_time() - before;
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
  for (const char* name : {"/outbox.db", "/outbox.db-wal", "/outbox.marks", "/outbox.reserve", "/state.db", "/state.db-wal", "/state.mirror"}) {
    ::unlink((options.directory + name).c_str());
  }
  ::rmdir(options.directory.c_str());
  return figures;
}

void print(const char* name, const Figures& figures) {
  const auto a_sample = [&figures](double amount) { return amount / static_cast<double>(figures.read); };
  const auto kept_nanoseconds = [&figures](Seconds time) { return time.count() * 1e9 / static_cast<double>(figures.kept); };
  std::printf("%-34s %9llu %9llu %8.3f %8.3f %8.3f %8.3f %8.0f %8.0f %8.0f\n", name,
              static_cast<unsigned long long>(figures.read), static_cast<unsigned long long>(figures.kept),
              a_sample(static_cast<double>(figures.segment_bytes)), a_sample(static_cast<double>(figures.file_bytes)),
              a_sample(static_cast<double>(figures.written)), a_sample(static_cast<double>(figures.json_bytes)),
              kept_nanoseconds(figures.commit), kept_nanoseconds(figures.decode), kept_nanoseconds(figures.json));
}

}  // namespace
}  // namespace fieldpost

int main(int count, char** arguments) {
  const int flushes = count > 1 ? std::atoi(arguments[1]) : 360;
  std::printf("%d series at 1 s, a commit (synchronous=FULL) every %d s, %d commits; bytes a sample that was read, ns of CPU a sample kept\n",
              fieldpost::kSeries, fieldpost::kTicksAFlush, flushes);
  std::printf("%-34s %9s %9s %8s %8s %8s %8s %8s %8s %8s\n", "", "read", "kept", "segment", "on disk", "written", "JSON", "commit", "decode",
              "to JSON");
  fieldpost::print("every sample changes", fieldpost::run(1.0, false, flushes));
  fieldpost::print("a tenth changes, all kept", fieldpost::run(0.1, false, flushes));
  fieldpost::print("a tenth changes, report on change", fieldpost::run(0.1, true, flushes));
  std::printf("budgets (DESIGN 14), real capture with report on change: 0.5 on disk, 1 written; 200 ns to durable\n");
  return 0;
}
