// SPDX-License-Identifier: Apache-2.0
// What goes to the broker for a segment: JSON, SenML, or the segment's own bytes; compressed if asked for. The content type
// says which (MQTT 5); without it the first bytes do: "{" with a line "FPSG..." below is native, "[" is SenML in JSON, a first
// byte from 80 to 9F SenML in CBOR, 28 B5 2F FD is zstd. (Sparkplug B has a session: sparkplug.hpp.)
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/store/store.hpp"
#include "agent/sync/flat_record.hpp"
#include "agent/sync/sync_options.hpp"

namespace fieldpost {

struct Payload {
  std::string bytes;
  std::string_view content_type;
  std::vector<std::string> further;  ///< where one message would have been too long, the others
};

/// Native: one line of JSON ({"v":1,"device":...,"time":{...}}, as in the JSON message) and a line feed, for what the
/// segment does not know; then the segment (agent/store/README.md).
///
/// Errors: OutOfRange  longer than `bytes_max`, in the form in which it would be sent
///         Malformed   the segment cannot be read
Result<Payload> make_payload(const PayloadOptions& options, const MessageGround& ground, const OutgoingSegment& segment,
                             std::size_t bytes_max);

/// A message for every part, in as few parts (1, 2, 4, ...) as have room below `bytes_max`. `write` makes one.
/// Errors: OutOfRange  a single reading has no room; others of `write`
Result<Payload> in_parts(std::size_t readings, const std::function<Result<std::string>(MessagePart)>& write);

}  // namespace fieldpost
