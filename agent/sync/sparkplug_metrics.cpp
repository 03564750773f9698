// SPDX-License-Identifier: Apache-2.0
// See sparkplug_metrics.hpp. Field numbers: sparkplug_b.proto of the specification, chapter 6.
#include "agent/sync/sparkplug_metrics.hpp"

#include "agent/sync/protobuf.hpp"

namespace fieldpost {
namespace {

// Of Payload.
constexpr unsigned kPayloadTime = 1;
constexpr unsigned kPayloadMetric = 2;
constexpr unsigned kPayloadSeq = 3;
// Of Payload.Metric.
constexpr unsigned kName = 1;
constexpr unsigned kAlias = 2;
constexpr unsigned kTime = 3;
constexpr unsigned kDatatype = 4;
constexpr unsigned kIsHistorical = 5;
constexpr unsigned kIsNull = 7;
constexpr unsigned kLong = 11;
constexpr unsigned kDouble = 13;
constexpr unsigned kBoolean = 14;
constexpr unsigned kString = 15;

constexpr std::string_view kRebirth = "Node Control/Rebirth";
constexpr std::string_view kOwn = "fieldpost";

struct OwnMetric {
  const char* name;
  std::uint8_t datatype;
};
/// Known from the start, so that the first alert needs no birth.
constexpr OwnMetric kOwnMetrics[] = {
    {"fieldpost/epoch", 12}, {"fieldpost/seq", 4},         {"fieldpost/first_seq", 4},   {"fieldpost/part", 4},          {"fieldpost/parts", 4},
    {"fieldpost/lane", 12},  {"fieldpost/boot", 12},       {"fieldpost/boot_time", 10},  {"fieldpost/time_error", 10},   {"fieldpost/time_trusted", 11},
    {"fieldpost/event", 12}, {"fieldpost/thinned", 11},    {"fieldpost/gap", 12},
};

/// One metric with its value.
class MetricWriter {
 public:
  MetricWriter& number(unsigned field, std::uint64_t number) {
    protobuf::put_number(bytes_, field, number);
    return *this;
  }
  MetricWriter& text(unsigned field, std::string_view text) {
    protobuf::put_bytes(bytes_, field, text);
    return *this;
  }
  MetricWriter& value(const Value& value, bool as_integer) {
    if (as_integer) return number(kLong, static_cast<std::uint64_t>(value.integer()));
    protobuf::put_double(bytes_, kDouble, value.real());
    return *this;
  }
  void end_in(std::string& payload) const { protobuf::put_bytes(payload, kPayloadMetric, bytes_); }

 private:
  std::string bytes_;
};

void put_bd_seq(std::string& payload, std::uint8_t bd_seq, std::uint64_t unix_ms) {
  MetricWriter{}.text(kName, "bdSeq").number(kTime, unix_ms).number(kDatatype, 4).number(kLong, bd_seq).end_in(payload);
}

}  // namespace

/// The records of one NDATA.
class SparkplugRecordWriter final : public FlatRecordSink {
 public:
  struct Times {
    const SegmentHeader& header;
    MessageTime first;
    BootTime connected_at;
    bool all_historical;
  };
  SparkplugRecordWriter(SparkplugMetrics& metrics, const Times& times, std::size_t bytes_max)
      : metrics_{metrics}, times_{times}, bytes_max_{bytes_max} {
    protobuf::put_number(payload_, kPayloadTime, static_cast<std::uint64_t>(metrics_.now_ms()));
  }

  bool too_long() const { return payload_.size() > bytes_max_; }
  std::string take() && { return std::move(payload_); }

  void accept(const FlatRecord& record) override {
    using Type = FlatRecord::Type;
    if (too_long()) return;
    const std::size_t alias = metrics_.alias_of(record);
    SparkplugMetrics::Metric& metric = metrics_.metrics_[alias];
    const std::int64_t unix_ms = times_.first.unix_ms + record.offset_ms;
    const bool is_historical = times_.all_historical || times_.header.first + milliseconds{record.offset_ms} < times_.connected_at;
    MetricWriter writer;
    // The datatype need not be said again (and should not), but decoders of Eclipse Tahu know no value without one.
    writer.number(kAlias, alias).number(kTime, static_cast<std::uint64_t>(unix_ms)).number(kDatatype, static_cast<std::uint64_t>(metric.datatype));
    if (is_historical) writer.number(kIsHistorical, 1);
    if (record.type == Type::text) {
      writer.text(kString, record.text);
    } else if (record.type == Type::boolean) {
      writer.number(kBoolean, record.flag ? 1 : 0);
    } else {
      writer.value(record.number, metric.datatype == SparkplugMetrics::Datatype::int64);
      if (record.series != kOwn && (!is_historical || !metric.has_value)) {
        metric.has_value = true;
        metric.value = record.number;
        metric.unix_ms = unix_ms;
      }
    }
    writer.end_in(payload_);
  }

 private:
  SparkplugMetrics& metrics_;
  Times times_;
  std::size_t bytes_max_;
  std::string payload_;
};

SparkplugMetrics::SparkplugMetrics(const Clock& clock) : clock_{clock} { forget(); }

void SparkplugMetrics::forget() {
  metrics_.clear();
  aliases_.clear();
  for (const OwnMetric& own : kOwnMetrics) add(own.name, static_cast<Datatype>(own.datatype));
}

std::size_t SparkplugMetrics::add(std::string name, Datatype datatype) {
  birth_due_ = true;
  aliases_.emplace(name, metrics_.size());
  metrics_.push_back({std::move(name), datatype, false, {}, 0});
  return metrics_.size() - 1;
}

std::int64_t SparkplugMetrics::now_ms() const {
  return std::chrono::floor<milliseconds>(clock_.utc_above_floor().time.time_since_epoch()).count();
}

/// A metric that once was no integer stays a double: it would be born again with every change.
std::size_t SparkplugMetrics::alias_of(const FlatRecord& record) {
  using Type = FlatRecord::Type;
  const Datatype datatype = record.type == Type::text         ? Datatype::text
                            : record.type == Type::boolean    ? Datatype::boolean
                            : record.number.is_integer()      ? Datatype::int64
                                                              : Datatype::real;
  std::string name{record.series};
  if (!record.attribute.empty()) (name += '/') += record.attribute;
  const auto found = aliases_.find(name);
  if (found == aliases_.end()) return add(std::move(name), datatype);
  Metric& metric = metrics_[found->second];
  if (metric.datatype == Datatype::int64 && datatype == Datatype::real) {
    metric.datatype = datatype;
    retyped_ = birth_due_ = true;
  }
  return found->second;
}

Result<Payload> SparkplugMetrics::write_data(const OutgoingSegment& segment, const MessageGround& ground, BootTime connected_at,
                                             bool is_backlog, std::size_t bytes_max) {
  const SegmentContent content = TRY(decode_segment_content(segment.bytes));
  const SegmentHeader& header = segment.header;
  const SparkplugRecordWriter::Times times{header, time_of_first_reading(header, ground), connected_at,
                                         is_backlog || header.boot != clock_.boot_id()};
  constexpr std::size_t kSeqBytes = 3;
  const auto write = [&](MessagePart part) -> Result<std::string> {
    SparkplugRecordWriter writer{*this, times, bytes_max - kSeqBytes};
    write_flat_records(header, content, ground, part, writer);
    if (!writer.too_long()) return std::move(writer).take();
    return Error{ErrorKind::OutOfRange, "NDATA of seq " + std::to_string(header.seq) + " is longer than " + std::to_string(bytes_max) + " bytes"};
  };
  for (;;) {
    retyped_ = false;
    auto payload = in_parts(flat_reading_count(content), write);
    if (!retyped_) return payload;  // else its first values still have the old datatype
  }
}

void SparkplugMetrics::put_seq(std::string& payload, std::uint8_t seq) { protobuf::put_number(payload, kPayloadSeq, seq); }

std::string SparkplugMetrics::write_birth(std::uint8_t bd_seq) {
  birth_due_ = false;
  const auto now = static_cast<std::uint64_t>(now_ms());
  std::string payload;
  protobuf::put_number(payload, kPayloadTime, now);
  put_bd_seq(payload, bd_seq, now);
  MetricWriter{}
      .text(kName, kRebirth)
      .number(kTime, now)
      .number(kDatatype, static_cast<std::uint64_t>(Datatype::boolean))
      .number(kBoolean, 0)
      .end_in(payload);
  for (std::size_t alias = 0; alias < metrics_.size(); ++alias) {
    const Metric& metric = metrics_[alias];
    MetricWriter writer;
    writer.text(kName, metric.name).number(kAlias, alias);
    writer.number(kTime, metric.has_value ? static_cast<std::uint64_t>(metric.unix_ms) : now);
    writer.number(kDatatype, static_cast<std::uint64_t>(metric.datatype));
    metric.has_value ? writer.value(metric.value, metric.datatype == Datatype::int64) : writer.number(kIsNull, 1);
    writer.end_in(payload);
  }
  put_seq(payload, 0);
  return payload;
}

std::string SparkplugMetrics::write_death(std::uint8_t bd_seq) const {
  const auto now = static_cast<std::uint64_t>(now_ms());
  std::string payload;
  protobuf::put_number(payload, kPayloadTime, now);
  put_bd_seq(payload, bd_seq, now);
  return payload;
}

bool asks_for_rebirth(std::string_view payload) {
  protobuf::Reader reader{payload};
  bool asked = false;
  while (reader.next()) {
    if (reader.field() != kPayloadMetric || !reader.bytes()) continue;
    protobuf::Reader metric{*reader.bytes()};
    bool is_rebirth = false;
    bool flag = false;
    while (metric.next()) {
      if (metric.field() == kName) is_rebirth = metric.bytes() == kRebirth;
      if (metric.field() == kBoolean) flag = metric.number().value_or(0) != 0;
    }
    asked = asked || (is_rebirth && flag);
  }
  return asked;
}

}  // namespace fieldpost
