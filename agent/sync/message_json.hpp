// SPDX-License-Identifier: Apache-2.0
// A segment as the JSON message that consumers get: version 1 of the published schema
// (packaging/schema/fieldpost-message-v1.schema.json). Written straight to text, columns as arrays,
// each vector of times once however many series share it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "agent/store/segment.hpp"
#include "agent/store/store.hpp"
#include "platform/json.hpp"

namespace fieldpost {

/// UTC of an instant of a boot; nothing where that boot never knew it. Store::utc_of.
using UtcOf = std::function<std::optional<Store::UtcStamp>(const BootId&, BootTime)>;

/// Writes one message. Times are whole milliseconds from the header's first reading. Integers beyond
/// 2^53 are strings of digits; doubles without a JSON form are "NaN", "+Inf", "-Inf".
///
/// Errors: OutOfRange  the text would be longer than `bytes_max`; writing stops as soon as it is
Result<std::string> to_json_message(std::string_view device, const SegmentHeader& header,
                                    const SegmentContent& content, const UtcOf& utc_of,
                                    std::size_t bytes_max);

/// The member "time" of a message, into an object that is open.
void write_message_time(JsonWriter& json, const SegmentHeader& header, const UtcOf& utc_of);

/// The elements of "events" and "gaps".
void write_event(JsonWriter& json, const SegmentHeader& header, const Event& event);
void write_gap(JsonWriter& json, const Gap& gap, const UtcOf& utc_of);

/// 0.5 -> "p50", 0.999 -> "p99.9".
std::string quantile_name(double rank);

}  // namespace fieldpost
