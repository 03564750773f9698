// SPDX-License-Identifier: Apache-2.0
// Writes the JSON message of a segment; the order of members is fixed, so that the same segment gives
// the same bytes when it is sent again (but for the time, which may have become known meanwhile).
#include "agent/sync/message_json.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

constexpr std::int64_t kExactInDouble = 1LL << 53;

void write_real(JsonWriter& json, double real) {
  if (std::isfinite(real)) {
    json.value(real);
  } else if (std::isnan(real)) {
    json.value("NaN");
  } else {
    json.value(real > 0 ? "+Inf" : "-Inf");
  }
}

void write_value(JsonWriter& json, const Value& value) {
  if (!value.is_integer()) {
    write_real(json, value.real());
  } else if (value.integer() > kExactInDouble || value.integer() < -kExactInDouble) {
    json.value(std::to_string(value.integer()));
  } else {
    json.value(value.integer());
  }
}

void write_labels(JsonWriter& json, std::span<const Label> labels) {
  json.key("labels").begin_object();
  for (const auto& label : labels) json.member(label.name, label.value);
  json.end_object();
}

/// A run of readings of one series inside the segment's ordered vector.
struct Run {
  std::size_t first = 0;
  std::size_t count = 0;
};

/// Where each series' readings stand; the segment keeps them ordered by series.
template <typename Reading>
std::vector<Run> runs_by_series(std::span<const Reading> readings, std::size_t series_count) {
  std::vector<Run> runs(series_count);
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const std::size_t at = index(readings[i].series);
    if (at >= series_count) continue;  // the decoder refuses this; never write past the end
    if (runs[at].count == 0) runs[at].first = i;
    ++runs[at].count;
  }
  return runs;
}

std::int64_t whole_ms(nanoseconds time) { return std::chrono::round<milliseconds>(time).count(); }

class MessageWriter {
 public:
  MessageWriter(const SegmentHeader& header, const SegmentContent& content, const UtcOf& utc_of,
                std::size_t bytes_max)
      : header_{header}, content_{content}, utc_of_{utc_of}, bytes_max_{bytes_max} {}

  bool too_long() const { return json_.bytes() > bytes_max_; }
  std::string take() && { return std::move(json_).take(); }

  void write(std::string_view device) {
    json_.begin_object();
    json_.member("v", 1).member("device", device);
    json_.member("epoch", to_text(header_.epoch)).member("seq", header_.seq);
    if (header_.first_seq != 0 && header_.first_seq != header_.seq) json_.member("first_seq", header_.first_seq);
    if (header_.is_thinned) json_.member("thinned", true);
    json_.member("lane", to_string(header_.lane)).member("boot", header_.boot);
    write_message_time(json_, header_, utc_of_);
    if (!content_.series.empty()) write_series();
    if (!content_.events.empty()) write_events();
    if (!content_.gaps.empty()) write_gaps();
    json_.end_object();
  }

 private:
  std::int64_t offset_ms(BootTime time) const { return whole_ms(time - header_.first); }

  void write_series() {
    const auto sample_runs = runs_by_series<Sample>(content_.samples, content_.series.size());
    const auto summary_runs = runs_by_series<Summary>(content_.summaries, content_.series.size());
    json_.key("series").begin_array();
    for (std::size_t i = 0; i < content_.series.size() && !too_long(); ++i) {
      const Series& series = content_.series[i];
      json_.begin_object().member("name", series.name);
      write_labels(json_, series.labels);
      json_.member("unit", series.unit).member("kind", to_string(series.kind));
      if (sample_runs[i].count != 0) {
        write_samples(std::span{content_.samples}.subspan(sample_runs[i].first, sample_runs[i].count));
      }
      if (summary_runs[i].count != 0) {
        write_summaries(
            std::span{content_.summaries}.subspan(summary_runs[i].first, summary_runs[i].count));
      }
      json_.end_object();
    }
    json_.end_array();
    write_time_vectors();
  }

  void write_samples(std::span<const Sample> samples) {
    std::vector<std::int64_t> times;
    times.reserve(samples.size());
    bool all_good = true;
    for (const auto& sample : samples) {
      times.push_back(offset_ms(sample.time));
      all_good = all_good && sample.quality == Quality::good;
    }
    json_.key("samples").begin_object();
    json_.member("t", vector_number(std::move(times)));
    json_.key("v").begin_array();
    for (const auto& sample : samples) write_value(json_, sample.value);
    json_.end_array();
    if (!all_good) {
      json_.key("q").begin_array();
      for (const auto& sample : samples) json_.value(static_cast<int>(sample.quality));
      json_.end_array();
    }
    json_.end_object();
  }

  template <typename Write>
  void column(std::string_view name, std::span<const Summary> summaries, Write write) {
    json_.key(name).begin_array();
    for (const auto& summary : summaries) write(summary);
    json_.end_array();
  }

  void write_summaries(std::span<const Summary> summaries) {
    std::vector<std::int64_t> starts;
    std::vector<std::int64_t> ends;
    bool any_increase = false;
    bool all_good = true;
    std::map<double, std::size_t> ranks;
    for (const auto& summary : summaries) {
      starts.push_back(offset_ms(summary.start));
      ends.push_back(offset_ms(summary.end));
      any_increase = any_increase || summary.increase.has_value();
      all_good = all_good && summary.quality == Quality::good;
      for (const auto& quantile : summary.quantiles) ++ranks[quantile.rank];
    }
    json_.key("summaries").begin_object();
    json_.member("start", vector_number(std::move(starts)));
    json_.member("end", vector_number(std::move(ends)));
    column("count", summaries, [&](const Summary& s) { json_.value(s.count); });
    column("min", summaries, [&](const Summary& s) { write_value(json_, s.min); });
    column("max", summaries, [&](const Summary& s) { write_value(json_, s.max); });
    column("mean", summaries, [&](const Summary& s) { write_real(json_, s.mean()); });
    column("last", summaries, [&](const Summary& s) { write_value(json_, s.last); });
    column("stddev", summaries, [&](const Summary& s) { write_real(json_, s.stddev); });
    for (const auto& [rank, present] : ranks) {
      column(quantile_name(rank), summaries, [&, r = rank](const Summary& s) { write_quantile(s, r); });
    }
    if (any_increase) {
      column("increase", summaries, [&](const Summary& s) {
        s.increase ? write_real(json_, *s.increase) : static_cast<void>(json_.null());
      });
      column("resets", summaries, [&](const Summary& s) { json_.value(s.resets); });
    }
    if (!all_good) {
      column("q", summaries, [&](const Summary& s) { json_.value(static_cast<int>(s.quality)); });
    }
    json_.end_object();
  }

  void write_quantile(const Summary& summary, double rank) {
    for (const auto& quantile : summary.quantiles) {
      if (quantile.rank == rank) return write_real(json_, quantile.value);
    }
    json_.null();
  }

  /// The number of this vector in "times"; equal vectors share one.
  std::uint64_t vector_number(std::vector<std::int64_t> times) {
    const std::uint64_t next = vectors_.size();
    const auto [found, added] = vectors_.try_emplace(std::move(times), next);
    if (added) in_order_.push_back(&found->first);
    return found->second;
  }

  void write_time_vectors() {
    json_.key("times").begin_array();
    for (const auto* times : in_order_) {
      json_.begin_array();
      for (const std::int64_t offset : *times) json_.value(offset);
      json_.end_array();
      if (too_long()) break;
    }
    json_.end_array();
  }

  void write_events() {
    json_.key("events").begin_array();
    for (const auto& event : content_.events) write_event(json_, header_, event);
    json_.end_array();
  }

  void write_gaps() {
    json_.key("gaps").begin_array();
    for (const auto& gap : content_.gaps) write_gap(json_, gap, utc_of_);
    json_.end_array();
  }

  const SegmentHeader& header_;
  const SegmentContent& content_;
  const UtcOf& utc_of_;
  std::size_t bytes_max_;
  JsonWriter json_;
  std::map<std::vector<std::int64_t>, std::uint64_t> vectors_;
  std::vector<const std::vector<std::int64_t>*> in_order_;
};

/// A gap may be of another boot than the message, so its times stand by themselves.
void write_gap_time(JsonWriter& json, const std::string& name, const Gap& gap, BootTime time, const UtcOf& utc_of) {
  json.key(name + "_boot_ms");
  gap.boot.empty() ? json.null() : json.value(whole_ms(time.time_since_epoch()));
  const auto utc = gap.boot.empty() ? std::nullopt : utc_of(gap.boot, time);
  json.key(name);
  utc ? json.value(to_rfc3339(utc->time)) : json.null();
}

}  // namespace

std::string quantile_name(double rank) {
  JsonWriter percent;
  percent.value(std::round(rank * 1e6) / 1e4);
  std::string text = std::move(percent).take();
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return "p" + text;
}

void write_event(JsonWriter& json, const SegmentHeader& header, const Event& event) {
  json.begin_object().member("name", event.name);
  write_labels(json, event.labels);
  json.member("severity", to_string(event.severity)).member("t", whole_ms(event.time - header.first)).key("value");
  std::isnan(event.value) ? static_cast<void>(json.null()) : write_real(json, event.value);
  json.member("message", event.message).end_object();
}

void write_gap(JsonWriter& json, const Gap& gap, const UtcOf& utc_of) {
  json.begin_object().member("cause", to_string(gap.cause)).member("lane", to_string(gap.lane));
  json.member("readings", gap.readings);
  json.key("epoch");
  gap.epoch == 0 ? json.null() : json.value(to_text(gap.epoch));
  json.member("first_seq", gap.first_seq).member("last_seq", gap.last_seq);
  json.key("boot");
  gap.boot.empty() ? json.null() : json.value(gap.boot);
  write_gap_time(json, "start", gap, gap.first, utc_of);
  write_gap_time(json, "end", gap, gap.last, utc_of);
  json.end_object();
}

void write_message_time(JsonWriter& json, const SegmentHeader& header, const UtcOf& utc_of) {
  json.key("time").begin_object();
  json.member("boot_ms", whole_ms(header.first.time_since_epoch()));
  if (const auto utc = utc_of(header.boot, header.first)) {
    // A clock that ran free at the one end makes that end the worse one.
    const auto last = utc_of(header.boot, header.last);
    const nanoseconds error = last ? std::max(utc->error_bound, last->error_bound) : utc->error_bound;
    json.member("start", to_rfc3339(utc->time));
    json.member("error_ms", std::chrono::ceil<milliseconds>(error).count());
    json.member("trusted", utc->trusted);
  } else {
    json.key("start").null().key("error_ms").null().member("trusted", false);
  }
  json.end_object();
}

Result<std::string> to_json_message(std::string_view device, const SegmentHeader& header,
                                    const SegmentContent& content, const UtcOf& utc_of,
                                    std::size_t bytes_max) {
  MessageWriter writer{header, content, utc_of, bytes_max};
  writer.write(device);
  if (writer.too_long()) {
    return Error{ErrorKind::OutOfRange,
                 "message of seq " + std::to_string(header.seq) + " is longer than " +
                     std::to_string(bytes_max) + " bytes"};
  }
  return std::move(writer).take();
}

}  // namespace fieldpost
