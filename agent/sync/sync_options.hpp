// SPDX-License-Identifier: Apache-2.0
// How the way to the broker is configured: names, limits, and the form of the messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace fieldpost {

/// Of what goes to the broker; 0: none.
struct ByteLimits {
  std::int64_t per_second = 0;
  std::int64_t per_day = 0;
  double messages_per_second = 0;  ///< for alerts as well: what exceeds it some services discard
};

struct PayloadOptions {
  enum class Format : std::uint8_t { json, native, senml_json, senml_cbor, sparkplug_b };
  enum class Compression : std::uint8_t { none, zstd };
  Format format = Format::json;
  Compression compression = Compression::none;  ///< of JSON and SenML; a segment is compressed already
};

/// Where the format is sparkplug_b. The device is the edge node.
struct SparkplugOptions {
  std::string group = "fieldpost";
  std::string primary_host = {};  ///< nothing is sent while this one is not online; empty: there is none
  std::string file = {};          ///< keeps bdSeq over a restart; empty: nothing does
};

struct SyncOptions {
  std::string device;                      ///< goes into the topic and every message
  std::string topic_prefix = "fieldpost";  ///< {prefix}/{device}/{lane}
  std::size_t message_bytes_max = 128'000; ///< AWS IoT Core takes 128 KiB; longer ones become a gap
  ByteLimits limits = {};
  std::string budget_file = {};              ///< keeps the day's account over a restart; empty: nothing does
  PayloadOptions payload = {};
  /// Names a message's topic where it is not {prefix}/{device}/{lane}.
  std::function<std::string(std::string_view lane, std::string_view content_type)> topic = {};
  SparkplugOptions sparkplug = {};
};

}  // namespace fieldpost
