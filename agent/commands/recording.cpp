// SPDX-License-Identifier: Apache-2.0
// See recording.hpp. A value that is the same as before is left out of its line: most are, and such lines compress to nothing.
#include "agent/commands/recording.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>

#include "platform/event_loop.hpp"
#include "platform/json.hpp"
#include "platform/log.hpp"
#include "platform/number.hpp"

namespace fieldpost {
namespace {

constexpr const char* kFirstLine = "# fieldpost sources --record, version 1\n";

/// Doubles have a point, an exponent or a letter, so that they are told from integers.
std::string text_of(const Value& value) {
  if (value.is_integer()) return std::to_string(value.integer());
  std::string number = shortest_text(value.real());
  if (number.find_first_not_of("-0123456789") == std::string::npos) number += ".0";
  return number;
}

std::string series_line(std::size_t number, const Series& series) {
  JsonWriter json;
  json.begin_object().member("id", std::uint64_t{number}).member("name", series.name).member("unit", series.unit);
  json.member("kind", to_string(series.kind)).key("labels").begin_object();
  for (const Label& label : series.labels) json.member(label.name, label.value);
  json.end_object().end_object();
  return std::move(json).take() + "\n";
}

}  // namespace

Recording::Recording(const SeriesTable& table, std::FILE& file) : table_{table}, file_{file} { write(kFirstLine); }

void Recording::write(std::string_view line) { std::fwrite(line.data(), 1, line.size(), &file_); }

void Recording::accept(const Sample& sample) {
  const std::size_t number = index(sample.series);
  if (newest_.size() <= number) newest_.resize(number + 1);
  std::optional<std::string>& newest = newest_[number];
  if (!newest) write(series_line(number, table_[sample.series]));
  if (now_ != sample.time) write("@" + std::to_string(sample.time.time_since_epoch().count()) + "\n");
  now_ = sample.time;
  std::string value = text_of(sample.value);
  write(std::to_string(number) + (newest == value ? "" : " " + value) + "\n");
  newest = std::move(value);
  ++samples_;
}

Result<std::uint64_t> record_sources(const std::string& path, nanoseconds length, const FileTree& tree, std::vector<SourcePlan> plans) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "we"), &std::fclose};
  if (!file) return errno_error(path, errno);
  const SystemClock clock;
  Log log{clock, LogLevel::warn};
  const auto loop = make_event_loop(clock, &log);
  SeriesTable table;
  Recording recording{table, *file};
  SourceSchedule schedule{*loop, log, tree, table, recording};
  for (SourcePlan& plan : plans) TRY(schedule.add(std::move(plan)));
  const auto stop = [&loop] { loop->stop(); };
  const Subscription interrupt = loop->on_signal(SIGINT, stop);
  const Subscription terminate = loop->on_signal(SIGTERM, stop);
  const Subscription end = loop->after(length, stop);
  schedule.start();
  loop->run();
  schedule.stop();
  if (std::fflush(file.get()) != 0 || std::ferror(file.get()) != 0) return errno_error("write " + path, errno);
  return recording.samples();
}

}  // namespace fieldpost
