// SPDX-License-Identifier: Apache-2.0
// A segment as a pack of SenML (RFC 8428), in JSON or in CBOR. What the names are, what SenML cannot say and what is done
// about it stands in README.md.
#pragma once

#include <string>

#include "agent/sync/flat_record.hpp"

namespace fieldpost {

enum class SenmlForm : std::uint8_t { json, cbor };

/// One pack. Values that are no numbers (NaN, infinite) are left out, and counted in the record "fieldpost/left_out".
///
/// Errors: OutOfRange  the pack would be longer than `bytes_max`
Result<std::string> to_senml(SenmlForm form, const SegmentHeader& header, const SegmentContent& content,
                             const MessageGround& ground, MessagePart part, std::size_t bytes_max);

}  // namespace fieldpost
