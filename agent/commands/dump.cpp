// SPDX-License-Identifier: Apache-2.0
// `fieldpost dump`: what waits in the outbox, one line a reading, for people and scripts.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "agent/commands/command.hpp"
#include "agent/configuration/configuration.hpp"
#include "agent/store/outbox_reader.hpp"
#include "hal/exposition.hpp"
#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {
    {"--directory", "DIR", "where outbox.db is, instead of the configuration's [outbox] directory"},
    {"--config", "FILE", "configuration that says where; default /etc/fieldpost/fieldpost.toml"},
    {"--lane", "LANE", "one lane only; default: all", "alert|event|live|bulk"},
    {"--format", "FORMAT", "JSON lines or comma-separated values with a heading", "jsonl|csv"},
};

/// One reading or gap, in the columns that both formats have. Empty and nothing: not of this kind.
struct Line {
  std::string_view kind;  ///< "sample", "summary", "event", "gap"
  BootTime time;
  std::string series;
  std::string unit;
  std::optional<Value> value;
  const Summary* summary = nullptr;
  std::string quality;
  std::string text;  ///< an event's severity and message, a gap's cause
  std::uint64_t readings = 1;
};

/// Integers stay integers: a spreadsheet would round 9.855445123e+09.
std::string number_text(const Value& value) {
  return value.is_integer() ? std::to_string(value.integer()) : to_prometheus_number(value);
}
std::string number_text(double number) { return to_prometheus_number(Value{number}); }

void write_number(JsonWriter& json, const Value& value) {
  if (value.is_integer()) {
    json.value(value.integer());
  } else {
    json.value(value.real());
  }
}

class Printer {
 public:
  Printer(const BootTable& boots, bool as_csv) : boots_{boots}, as_csv_{as_csv} {}

  void heading() const {
    if (as_csv_) {
      print("lane,epoch,seq,boot,boot_seconds,utc,utc_trusted,kind,series,unit,value,readings,min,max,mean,stddev,"
            "increase,quality,text\n");
    }
  }

  void line(const SegmentHeader& header, const Line& line) const {
    const auto utc = boots_.utc_of(header.boot, line.time);
    print((as_csv_ ? csv(header, line, utc) : json(header, line, utc)) + "\n");
  }

 private:
  using Utc = std::optional<BootTable::Utc>;

  static std::string json(const SegmentHeader& header, const Line& line, const Utc& utc) {
    JsonWriter json;
    json.begin_object();
    json.member("lane", to_string(header.lane))
        .member("epoch", to_text(header.epoch))
        .member("seq", header.seq)
        .member("boot", header.boot)
        .member("boot_ns", line.time.time_since_epoch().count());
    if (utc) json.member("utc", to_rfc3339(utc->time)).member("utc_trusted", utc->trusted);
    json.member("kind", line.kind);
    if (!line.series.empty()) json.member("series", line.series);
    if (!line.unit.empty()) json.member("unit", line.unit);
    if (line.value) write_number(json.key("value"), *line.value);
    if (const Summary* summary = line.summary) {
      json.member("end_boot_ns", summary->end.time_since_epoch().count()).member("count", summary->count);
      write_number(json.key("min"), summary->min);
      write_number(json.key("max"), summary->max);
      json.member("mean", summary->mean()).member("stddev", summary->stddev);
      if (summary->increase) json.member("increase", *summary->increase);
      json.key("quantiles").begin_object();
      for (const Quantile& quantile : summary->quantiles) {
        json.member(number_text(quantile.rank), quantile.value);
      }
      json.end_object();
    }
    if (line.kind == "gap") json.member("readings", line.readings);
    if (!line.quality.empty()) json.member("quality", line.quality);
    if (!line.text.empty()) json.member("text", line.text);
    json.end_object();
    return std::move(json).take();
  }

  /// RFC 4180: fields with commas, quotes or line breaks are quoted.
  static std::string field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string{"\"\""} : std::string{c};
    return quoted + "\"";
  }

  static std::string csv(const SegmentHeader& header, const Line& line, const Utc& utc) {
    std::array<char, 32> seconds_text{};
    std::snprintf(seconds_text.data(), seconds_text.size(), "%.9f",
                  static_cast<double>(line.time.time_since_epoch().count()) / 1e9);
    std::string text{to_string(header.lane)};
    const auto add = [&](const std::string& value) { text += "," + field(value); };
    add(to_text(header.epoch));
    add(std::to_string(header.seq));
    add(header.boot);
    add(seconds_text.data());
    add(utc ? to_rfc3339(utc->time) : "");
    add(utc ? (utc->trusted ? "true" : "false") : "");
    add(std::string{line.kind});
    add(line.series);
    add(line.unit);
    add(line.value ? number_text(*line.value) : "");
    add(std::to_string(line.readings));
    const Summary* summary = line.summary;
    add(summary != nullptr ? number_text(summary->min) : "");
    add(summary != nullptr ? number_text(summary->max) : "");
    add(summary != nullptr ? number_text(summary->mean()) : "");
    add(summary != nullptr ? number_text(summary->stddev) : "");
    add(summary != nullptr && summary->increase ? number_text(*summary->increase) : "");
    add(line.quality);
    add(line.text);
    return text;
  }

  const BootTable& boots_;
  bool as_csv_;
};

std::string_view quality_text(Quality quality) {
  switch (quality) {
    case Quality::good: return "";
    case Quality::suspect: return "suspect";
    case Quality::substituted: return "substituted";
  }
  return "";
}

void print_segment(const Printer& printer, const SegmentHeader& header, const SegmentContent& content) {
  for (const Sample& sample : content.samples) {
    const Series& series = content.series[index(sample.series)];
    printer.line(header, {.kind = "sample", .time = sample.time, .series = to_text(series),
                          .unit = series.unit, .value = sample.value, .summary = nullptr,
                          .quality = std::string{quality_text(sample.quality)}, .text = {}});
  }
  for (const Summary& summary : content.summaries) {
    const Series& series = content.series[index(summary.series)];
    printer.line(header, {.kind = "summary", .time = summary.start, .series = to_text(series),
                          .unit = series.unit, .value = summary.last, .summary = &summary,
                          .quality = std::string{quality_text(summary.quality)}, .text = {},
                          .readings = summary.count});
  }
  for (const Event& event : content.events) {
    Series series;
    series.name = event.name;
    series.labels = event.labels;
    const auto value = std::isnan(event.value) ? std::optional<Value>{} : Value{event.value};
    printer.line(header, {.kind = "event", .time = event.time, .series = to_text(series), .unit = {},
                          .value = value, .summary = nullptr, .quality = {},
                          .text = std::string{to_string(event.severity)} + ": " + event.message});
  }
  for (const Gap& gap : content.gaps) {
    printer.line(header, {.kind = "gap", .time = gap.first, .series = {}, .unit = {}, .value = {},
                          .summary = nullptr, .quality = {},
                          .text = std::string{to_string(gap.cause)} + ", lane " +
                                  std::string{to_string(gap.lane)},
                          .readings = gap.readings});
  }
}

ExitCode complain_of(const std::string& directory, const Error& error) {
  if (error.kind() == ErrorKind::NotPresent) {
    complain("dump", "no outbox.db in " + directory + "; say where it is with --directory");
  } else if (error.kind() == ErrorKind::Unavailable) {
    complain("dump", "a running agent has the outbox in " + directory +
                         " open and changes it faster than it can be copied; try again");
  } else {
    complain("dump", directory + ": " + error.sentence());
  }
  return ExitCode::failed;
}

/// Where to look; "" after a complaint.
std::string directory_of(const Arguments& arguments) {
  if (arguments.has("--directory")) return arguments.text("--directory", "");
  const auto loaded =
      load_configuration(arguments.text("--config", kDefaultConfigurationPath), driver_table());
  if (loaded.ok()) return loaded.configuration.store.directory;
  for (const Problem& problem : loaded.problems) complain("dump", to_text(problem));
  return {};
}

ExitCode run_dump(const Arguments& arguments) {
  const std::string directory = directory_of(arguments);
  if (directory.empty()) return ExitCode::failed;
  auto reader = OutboxReader::open(directory);
  if (!reader) return complain_of(directory, reader.error());
  const Printer printer{reader->boots(), arguments.text("--format", "jsonl") == "csv"};
  printer.heading();
  const std::string wanted = arguments.text("--lane", "");
  std::uint64_t damaged = 0;
  for (const Lane lane : kLanes) {
    if (!wanted.empty() && wanted != to_string(lane)) continue;
    const auto read = reader->read(lane, [&](const SegmentHeader& header, const SegmentContent& content) {
      print_segment(printer, header, content);
      return std::ferror(stdout) == 0;  // nobody reads any more: `fieldpost dump | head`
    });
    if (!read) return complain_of(directory, read.error());
    damaged += *read;
  }
  if (damaged == 0) return ExitCode::ok;
  complain("dump", std::to_string(damaged) + " damaged segments were left out; the agent will report them as gaps");
  return ExitCode::failed;
}

}  // namespace

constexpr Command kDumpCommand{
    "dump", "print what waits in the outbox, one line a reading",
    "Prints every sample, summary, event and gap that still waits for the broker, a lane at a time, oldest\n"
    "first. Changes nothing; of a running agent's outbox a copy is read, made below TMPDIR or /var/tmp.\n"
    "Times: boot_ns counts from the boot whose id is in boot; utc is there where that boot is known.\n"
    "\n"
    "exit codes: 0 all printed; 1 no outbox, or damaged in part; 2 wrong command line\n",
    kOptions,
    "  fieldpost dump | jq -c 'select(.kind == \"event\")'\n"
    "  fieldpost dump --lane live --format csv > live.csv\n"
    "  fieldpost dump --directory /mnt/card/var/lib/fieldpost\n",
    &run_dump};

}  // namespace fieldpost
