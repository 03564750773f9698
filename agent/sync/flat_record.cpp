// SPDX-License-Identifier: Apache-2.0
// See flat_record.hpp.
#include "agent/sync/flat_record.hpp"

#include <algorithm>
#include <iterator>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

/// Below this SenML takes a time for one relative to now.
constexpr std::int64_t kUnixMsMin = (1LL << 28) * 1'000;

bool is_letter_or_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

void fold(std::string& name, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : text) {
    if (is_letter_or_digit(c) || c == '_' || c == '-' || c == '.') {
      name += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    name += ':';
    name += kDigits[byte >> 4U];
    name += kDigits[byte & 15U];
  }
}

struct UnitName {
  std::string_view ours;
  std::string_view senml;
};

constexpr UnitName kUnits[] = {
    {"amperes", "A"}, {"bytes", "B"}, {"celsius", "Cel"},  {"hertz", "Hz"}, {"joules", "J"}, {"ratio", "/"}, {"revolutions per minute", "1/min"},
    {"seconds", "s"}, {"volts", "V"}, {"watts", "W"},
};

constexpr std::string_view kQualityNames[] = {"good", "suspect", "substituted"};

std::int64_t whole_ms(nanoseconds time) { return std::chrono::round<milliseconds>(time).count(); }

class FlatWriter {
 public:
  FlatWriter(const SegmentHeader& header, const SegmentContent& content, MessagePart part, FlatRecordSink& sink)
      : header_{header}, content_{content}, part_{part}, readings_{flat_reading_count(content)}, sink_{sink} {}

  void write(const MessageGround& ground) {
    write_own(ground);
    for (const bool with_unit : {false, true}) {
      std::size_t sample = 0;
      std::size_t summary = 0;
      for (std::size_t i = 0; i < content_.series.size(); ++i) {
        write_series(i, with_unit, sample, summary);
      }
    }
    const std::string_view series = record_.series = "fieldpost";
    record_.unit = {};
    for (const Event& event : content_.events) {
      if (!is_ours()) continue;
      JsonWriter json;
      write_event(json, header_, event);
      record_.offset_ms = offset_ms(event.time);
      tell(series, "event", std::string_view{std::move(json).take()});
    }
    record_.offset_ms = 0;
    for (const Gap& gap : content_.gaps) {
      if (!is_ours()) continue;
      JsonWriter json;
      write_gap(json, gap, ground.utc_of);
      tell(series, "gap", std::string_view{std::move(json).take()});
    }
  }

 private:
  std::int64_t offset_ms(BootTime time) const { return whole_ms(time - header_.first); }

  bool is_ours() {
    const std::uint64_t at = next_++;
    return at * part_.of / readings_ == part_.number;
  }

  void put(std::string_view series, std::string_view attribute) {
    record_.series = series;
    record_.attribute = attribute;
    sink_.accept(record_);
  }
  void tell(std::string_view series, std::string_view attribute, std::string_view text) {
    record_.type = FlatRecord::Type::text;
    record_.text = text;
    put(series, attribute);
  }
  void tell(std::string_view series, std::string_view attribute, Value number, std::string_view unit) {
    record_.type = FlatRecord::Type::number;
    record_.number = number;
    record_.unit = unit;
    put(series, attribute);
  }
  void tell_flag(std::string_view attribute, bool flag) {
    record_.type = FlatRecord::Type::boolean;
    record_.flag = flag;
    put("fieldpost", attribute);
  }

  /// What consumers need to tell a duplicate comes first. Records of this name stand at the time of the first reading.
  void write_own(const MessageGround& ground) {
    constexpr std::string_view kOwn = "fieldpost";
    tell(kOwn, "epoch", std::string_view{to_text(header_.epoch)});
    tell(kOwn, "seq", static_cast<std::int64_t>(header_.seq), {});
    if (header_.first_seq != 0 && header_.first_seq != header_.seq) {
      tell(kOwn, "first_seq", static_cast<std::int64_t>(header_.first_seq), {});
    }
    if (part_.of > 1) {
      tell(kOwn, "part", part_.number, {});
      tell(kOwn, "parts", part_.of, {});
    }
    if (header_.is_thinned) tell_flag("thinned", true);
    tell(kOwn, "lane", to_string(header_.lane));
    tell(kOwn, "boot", header_.boot);
    tell(kOwn, "boot_time", static_cast<double>(whole_ms(header_.first.time_since_epoch())) / 1e3, "s");
    const auto first = time_of_first_reading(header_, ground).known ? ground.utc_of(header_.boot, header_.first) : std::nullopt;
    if (first) {
      const auto last = ground.utc_of(header_.boot, header_.last);
      const nanoseconds error = last ? std::max(first->error_bound, last->error_bound) : first->error_bound;
      tell(kOwn, "time_error", static_cast<double>(std::chrono::ceil<milliseconds>(error).count()) / 1e3, "s");
    }
    record_.unit = {};
    tell_flag("time_trusted", first && first->trusted);
  }

  void write_series(std::size_t at, bool with_unit, std::size_t& sample, std::size_t& summary) {
    const Series& series = content_.series[at];
    const std::string_view unit = senml_unit(series.unit);
    const bool now = unit.empty() != with_unit;
    const std::string name = now ? folded_name(series) : std::string{};
    for (; sample < content_.samples.size() && index(content_.samples[sample].series) == at; ++sample) {
      if (now && is_ours()) write_sample(name, unit, content_.samples[sample]);
    }
    for (; summary < content_.summaries.size() && index(content_.summaries[summary].series) == at; ++summary) {
      if (now && is_ours()) write_summary(name, unit, content_.summaries[summary]);
    }
  }

  void write_sample(std::string_view name, std::string_view unit, const Sample& sample) {
    record_.offset_ms = offset_ms(sample.time);
    tell(name, {}, sample.value, unit);
    write_quality(name, "quality", sample.quality);
  }

  void write_quality(std::string_view name, std::string_view attribute, Quality quality) {
    record_.unit = {};
    if (quality != Quality::good) tell(name, attribute, kQualityNames[static_cast<std::size_t>(quality) % std::size(kQualityNames)]);
  }

  void write_summary(std::string_view name, std::string_view unit, const Summary& summary) {
    record_.offset_ms = offset_ms(summary.start);
    tell(name, "window", static_cast<double>(offset_ms(summary.end) - record_.offset_ms) / 1e3, "s");
    tell(name, "count", summary.count, "count");
    tell(name, "min", summary.min, unit);
    tell(name, "max", summary.max, unit);
    tell(name, "mean", summary.mean(), unit);
    tell(name, "last", summary.last, unit);
    tell(name, "stddev", summary.stddev, unit);
    for (const Quantile& quantile : summary.quantiles) tell(name, quantile_name(quantile.rank), quantile.value, unit);
    if (summary.increase) {
      tell(name, "increase", *summary.increase, unit);
      tell(name, "resets", summary.resets, "count");
    }
    write_quality(name, "summary_quality", summary.quality);
  }

  const SegmentHeader& header_;
  const SegmentContent& content_;
  MessagePart part_;
  std::size_t readings_;
  FlatRecordSink& sink_;
  FlatRecord record_;
  std::uint64_t next_ = 0;
};

}  // namespace

MessageTime time_of_first_reading(const SegmentHeader& header, const MessageGround& ground) {
  if (const auto utc = ground.utc_of(header.boot, header.first)) {
    const std::int64_t unix_ms = std::chrono::floor<milliseconds>(utc->time.time_since_epoch()).count();  // as to_rfc3339()
    if (unix_ms >= kUnixMsMin) return {unix_ms, 0, true};
  }
  const BootTime newest = header.boot == ground.clock.boot_id() ? ground.clock.now() : header.last;
  const std::int64_t age_ms = std::clamp<std::int64_t>(whole_ms(newest - header.first), 0, kUnixMsMin - 1'000);
  return {whole_ms(ground.clock.utc_above_floor().time.time_since_epoch()) - age_ms, age_ms, false};
}

void write_flat_records(const SegmentHeader& header, const SegmentContent& content, const MessageGround& ground,
                        MessagePart part, FlatRecordSink& sink) {
  FlatWriter{header, content, part, sink}.write(ground);
}

std::size_t flat_reading_count(const SegmentContent& content) {
  return content.samples.size() + content.summaries.size() + content.events.size() + content.gaps.size();
}

std::string folded_name(const Series& series) {
  std::string name;
  fold(name, series.name);
  for (const Label& label : series.labels) {
    name += '/';
    fold(name, label.name);
    name += '/';
    fold(name, label.value);
  }
  return name;
}

std::string folded_device(std::string_view device) {
  const bool starts_well = !device.empty() && is_letter_or_digit(device.front());
  return (starts_well ? "" : "x:") + std::string{device};
}

std::string_view senml_unit(std::string_view unit) {
  const auto* found = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const UnitName& name) { return name.ours == unit; });
  return found == std::end(kUnits) ? std::string_view{} : found->senml;
}

}  // namespace fieldpost
