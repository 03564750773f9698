// SPDX-License-Identifier: Apache-2.0
// What one cloud allows and how it names things, as a table: [cloud] profile picks a row, and everything that goes to
// the broker is named and bounded by it. Adding a cloud is adding a row and its names here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/link/link.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

struct CloudOptions {
  enum class Profile : std::uint8_t {
    plain,  ///< any MQTT broker; AWS's documents under PREFIX/DEVICE
    aws,    ///< AWS IoT Core
    azure,  ///< Azure IoT Hub
  };

  Profile profile = Profile::plain;
  std::string hub = {};       ///< azure: "hub.azure-devices.net"
  std::string ingest_rule = {};///< aws: readings go straight to this rule (Basic Ingest)
  bool desired_state = false;   ///< the cloud may change the configuration
  std::string shadow = {};    ///< aws, plain: name of the shadow that does; empty: the classic one
  seconds confirm_within{120};///< link up and sources alive by then, or the change is put back
  bool presence = false;      ///< plain: says who is there, for the fleet's server
  bool defender = false;      ///< aws: Device Defender metrics
  seconds defender_interval{300};
};

inline constexpr std::string_view kCloudProfiles = "plain|aws|azure";

/// Facts: reference/protocols.md 1.3, 1.6, 2.1, 2.2. 0: no limit that we know.
struct CloudLimits {
  std::string_view name;               ///< as in the configuration
  std::string_view service;            ///< as people call it
  std::size_t message_bytes_max;       ///< of a publish: payload, and with azure the properties
  std::size_t topic_bytes_max;
  std::size_t topic_slashes_max;
  seconds keep_alive_min;
  seconds keep_alive_max;
  double publishes_per_second_max;     ///< of a connection; what exceeds it is discarded by aws, refused by azure
  std::int64_t bytes_per_second_max;
  std::size_t state_bytes_max;         ///< of the desired or the reported state; with aws of both together
  bool mqtt_v5;
  bool topics_free;                    ///< false: fixed names only, and fixed subscriptions
};

const CloudLimits& limits_of(CloudOptions::Profile profile) noexcept;

std::optional<CloudOptions::Profile> cloud_profile(std::string_view name) noexcept;

/// What readings of a lane are published on. With azure the properties stand in the topic, the content type among them.
std::string lane_topic(const CloudOptions& options, std::string_view prefix, std::string_view device,
                       std::string_view lane, std::string_view content_type);

/// "$aws/things/DEVICE", or "PREFIX/DEVICE" of a plain broker: what jobs and shadows stand below.
std::string thing_place(const CloudOptions& options, std::string_view prefix, std::string_view device);

/// Completes what the profile decides by itself: the hub's name from the URL, the user name, MQTT's version, the TLS
/// application protocol of port 443. What the URL has wrong for this cloud comes back as the rest of a sentence about it.
std::optional<std::string> fit(CloudOptions& options, LinkOptions& link);

/// Nothing if the device may be called so there; otherwise what it may.
std::optional<std::string_view> fault_of_device_name(CloudOptions::Profile profile, std::string_view device);

/// What stands between two slashes, or as a value in a list of properties: all but letters, digits and -_.~ escaped.
std::string percent_encoded(std::string_view text);

}  // namespace fieldpost
