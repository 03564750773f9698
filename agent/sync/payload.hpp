// SPDX-License-Identifier: Apache-2.0
// What goes to the broker for a segment: JSON, or the segment's own bytes; compressed if asked for. The content type
// says which (MQTT 5); without it the first bytes do: "{" with a line "FPSG..." below is native, 28 B5 2F FD is zstd.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/store/store.hpp"
#include "agent/sync/message_json.hpp"
#include "agent/sync/sync_options.hpp"

namespace fieldpost {

struct Payload {
  std::string bytes;
  std::string_view content_type;
};

/// Native: one line of JSON ({"v":1,"device":...,"time":{...}}, as in the JSON message) and a line feed, for what the
/// segment does not know; then the segment (agent/store/README.md).
///
/// Errors: OutOfRange  longer than `bytes_max`, in the form in which it would be sent
///         Malformed   the segment cannot be read
Result<Payload> make_payload(const PayloadOptions& options, std::string_view device, const OutgoingSegment& segment,
                             const UtcOf& utc_of, std::size_t bytes_max);

}  // namespace fieldpost
