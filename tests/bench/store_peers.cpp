// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/store_peers.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "platform/file_descriptor.hpp"
#include "platform/sqlite.hpp"
#include "tests/bench/feed.hpp"

namespace fieldpost {

namespace {

template <typename T>
T required(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().sentence().c_str());
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::int64_t size_of(const std::string& path) {
  struct stat found{};
  return ::stat(path.c_str(), &found) == 0 ? found.st_size : 0;
}

/// The feed's ticks of one commit are made before the clock runs, as the agent's store is given its batches.
std::vector<Sample> some(Feed& feed, BootTime& now, std::size_t count) {
  std::vector<Sample> samples;
  for (; samples.size() < count; now += std::chrono::seconds{1}) {
    feed.tick(now, [&samples](const Sample& sample, bool) { samples.push_back(sample); });
  }
  return samples;
}

}  // namespace

PeerFigures rows_in_sqlite(double changing, std::uint64_t samples, int rows_a_commit) {
  PeerFigures figures;
  SeriesTable table;
  Feed feed{table, changing};
  const std::string directory = new_directory();
  const std::int64_t written_before = written_bytes();
  {
    Sqlite database = required(Sqlite::open(directory + "/rows.db", {}));
    required(database.execute("CREATE TABLE sample(series INTEGER, time INTEGER, value)"));
    SqliteStatement insert = required(database.prepare("INSERT INTO sample VALUES(?1, ?2, ?3)"));
    BootTime now{std::chrono::hours{1}};
    while (figures.samples < samples) {
      const auto batch = some(feed, now, kSeries * kTicksAFlush);
      const Seconds before = cpu_time();
      for (std::size_t i = 0; i < batch.size();) {
        auto transaction = required(SqliteTransaction::begin(database));
        for (int row = 0; row < rows_a_commit && i < batch.size(); ++row, ++i) {
          insert.bind(1, static_cast<std::int64_t>(batch[i].series));
          insert.bind(2, batch[i].time.time_since_epoch().count());
          if (batch[i].value.is_integer()) {
            insert.bind(3, batch[i].value.integer());
          } else {
            insert.bind(3, batch[i].value.real());
          }
          required(insert.run());
          ++figures.samples;
        }
        required(transaction.commit());
        if (figures.samples >= samples) break;
      }
      figures.cpu += cpu_time() - before;
    }
    const Seconds before = cpu_time();
    required(database.checkpoint());
    figures.cpu += cpu_time() - before;
  }
  figures.file_bytes = size_of(directory + "/rows.db");
  figures.written = written_before < 0 ? -1 : written_bytes() - written_before;
  remove_directory(directory);
  return figures;
}

PeerFigures raw_append(double changing, std::uint64_t samples) {
  constexpr std::size_t kRecordBytes = 20;
  PeerFigures figures;
  SeriesTable table;
  Feed feed{table, changing};
  const std::string directory = new_directory();
  const std::string path = directory + "/raw";
  const FileDescriptor file{::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  const std::int64_t written_before = written_bytes();
  BootTime now{std::chrono::hours{1}};
  std::vector<char> records;
  while (figures.samples < samples) {
    const auto batch = some(feed, now, kSeries * kTicksAFlush);
    const Seconds before = cpu_time();
    records.resize(batch.size() * kRecordBytes);
    char* at = records.data();
    for (const Sample& sample : batch) {
      const auto series = static_cast<std::uint32_t>(sample.series);
      const std::int64_t time = sample.time.time_since_epoch().count();
      std::memcpy(at, &series, 4);
      std::memcpy(at + 4, &time, 8);
      if (sample.value.is_integer()) {
        const std::int64_t value = sample.value.integer();
        std::memcpy(at + 12, &value, 8);
      } else {
        const double value = sample.value.real();
        std::memcpy(at + 12, &value, 8);
      }
      at += kRecordBytes;
    }
    if (::write(file.get(), records.data(), records.size()) != static_cast<ssize_t>(records.size()) || ::fdatasync(file.get()) != 0) {
      std::perror("append");
      std::exit(1);
    }
    figures.cpu += cpu_time() - before;
    figures.samples += batch.size();
  }
  figures.file_bytes = size_of(path);
  figures.written = written_before < 0 ? -1 : written_bytes() - written_before;
  remove_directory(directory);
  return figures;
}

}  // namespace fieldpost
