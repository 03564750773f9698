// SPDX-License-Identifier: Apache-2.0
// How long the JSON message of a content can get, without writing it: an upper bound that is tight
// enough for segments to fill a message by more than half. The writer is agent/sync/message_json.cpp;
// a test there holds the two together.
#pragma once

#include <cstddef>

#include "agent/store/segment.hpp"
#include "agent/store/segment_body.hpp"

namespace fieldpost {

/// Everything outside the arrays: members of the message, and a device name of up to 256 bytes.
inline constexpr std::size_t kMessageFrameBytes = 1'024;

std::size_t message_bytes_bound(const Series& series);
std::size_t message_bytes_bound(const Value& value);
std::size_t message_bytes_bound(const Summary& summary);
std::size_t message_bytes_bound(const Event& event);
std::size_t message_bytes_bound(const Gap& gap);

/// The whole message. `first` is what its times count from.
std::size_t message_bytes_bound(BootTime first, const SegmentView& content);

}  // namespace fieldpost
