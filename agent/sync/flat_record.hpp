// SPDX-License-Identifier: Apache-2.0
// A segment as single records of name, time and value: what SenML and Sparkplug B are made of. Both get the same
// names from here, so that a consumer of the one can read the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/store/segment.hpp"
#include "agent/sync/message_json.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

struct FlatRecord {
  enum class Type : std::uint8_t { number, boolean, text };

  std::string_view series;     ///< folded; "fieldpost" for what a message tells of itself
  std::string_view attribute;  ///< of the series: "min", "quality", ...; empty: the reading itself
  std::string_view unit;       ///< of SenML's registry; empty: none, or none that SenML has
  std::int64_t offset_ms = 0;  ///< from the first reading of the message
  Type type = Type::number;
  Value number;
  bool flag = false;
  std::string_view text;
};

class FlatRecordSink {
 public:
  virtual ~FlatRecordSink() = default;
  virtual void accept(const FlatRecord& record) = 0;
};

/// What stands behind every message.
struct MessageGround {
  std::string_view device;
  const UtcOf& utc_of;
  const Clock& clock;  ///< for readings whose UTC is unknown
};

/// The same content is always cut at the same readings.
struct MessagePart {
  std::uint32_t number = 0;
  std::uint32_t of = 1;
};

/// Milliseconds since 1970 of an instant of the message's boot; `known` is false where that is not UTC but now,
/// by the same clock, less the age (of the boot that runs) or less the time to the message's newest reading.
struct MessageTime {
  std::int64_t unix_ms = 0;
  std::int64_t age_ms = 0;  ///< before now
  bool known = false;
};
MessageTime time_of_first_reading(const SegmentHeader& header, const MessageGround& ground);

/// First what the message tells of itself, then the series without a unit of SenML's, then those with one, then events
/// and gaps. Of a part, only what belongs to it.
void write_flat_records(const SegmentHeader& header, const SegmentContent& content, const MessageGround& ground,
                        MessagePart part, FlatRecordSink& sink);

/// Readings and gaps: what parts are cut between.
std::size_t flat_reading_count(const SegmentContent& content);

/// NAME/LABEL/VALUE/LABEL/VALUE; in each of them a byte other than letters, digits, "_", "-" and "." becomes ":XX".
std::string folded_name(const Series& series);
/// Of letters, digits, "_", "-" and "." (so [device] name). A name of SenML starts with a letter or a digit: before
/// another first byte comes "x:".
std::string folded_device(std::string_view device);

/// Of SenML's registry (RFC 8428, section 12.1); empty if it has none.
std::string_view senml_unit(std::string_view unit);

}  // namespace fieldpost
