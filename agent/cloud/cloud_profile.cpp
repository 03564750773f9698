// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/cloud_profile.hpp"

#include "agent/link/link_url.hpp"

namespace fieldpost {
namespace {

using Profile = CloudOptions::Profile;

constexpr std::string_view kHubDomains[] = {".azure-devices.net", ".azure-devices.cn", ".azure-devices.us"};

/// The newest that classic IoT Hub documents.
constexpr std::string_view kHubVersion = "/?api-version=2021-04-12";

constexpr std::size_t kKiB = 1024;

/// In the order of Profile.
constexpr CloudLimits kLimits[] = {
    {.name = "plain", .service = "the broker", .message_bytes_max = 0, .topic_bytes_max = 65'535, .topic_slashes_max = 0,
     .keep_alive_min = seconds{5}, .keep_alive_max = seconds{65'535}, .publishes_per_second_max = 0, .bytes_per_second_max = 0,
     .state_bytes_max = 64 * kKiB, .mqtt_v5 = true, .topics_free = true},
    {.name = "aws", .service = "AWS IoT Core", .message_bytes_max = 128 * kKiB, .topic_bytes_max = 256, .topic_slashes_max = 7,
     .keep_alive_min = seconds{30}, .keep_alive_max = seconds{1'200}, .publishes_per_second_max = 100,
     .bytes_per_second_max = 512 * kKiB, .state_bytes_max = 8 * kKiB, .mqtt_v5 = true, .topics_free = true},
    {.name = "azure", .service = "Azure IoT Hub", .message_bytes_max = 256 * kKiB, .topic_bytes_max = 0, .topic_slashes_max = 0,
     .keep_alive_min = seconds{5}, .keep_alive_max = seconds{1'177}, .publishes_per_second_max = 100, .bytes_per_second_max = 0,
     .state_bytes_max = 32 * kKiB, .mqtt_v5 = false, .topics_free = false},
};

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
}

std::string joined(std::string_view first, std::string_view second) {
  std::string text{first};
  text += '/';
  text += second;
  return text;
}

}  // namespace

const CloudLimits& limits_of(Profile profile) noexcept { return kLimits[static_cast<std::size_t>(profile)]; }

std::optional<Profile> cloud_profile(std::string_view name) noexcept {
  for (std::size_t i = 0; i < std::size(kLimits); ++i) {
    if (kLimits[i].name == name) return static_cast<Profile>(i);
  }
  return std::nullopt;
}

std::string lane_topic(const CloudOptions& options, std::string_view prefix, std::string_view device, std::string_view lane,
                       std::string_view content_type) {
  if (options.profile == Profile::azure) {
    std::string topic = "devices/" + std::string{device} + "/messages/events/lane=" + std::string{lane} + "&%24.ct=" + percent_encoded(content_type);
    // Only so is JSON open to the hub's routing; what is packed or binary has no encoding of characters.
    if (content_type == "application/json") topic += "&%24.ce=utf-8";
    return topic;
  }
  std::string topic = joined(joined(prefix, device), lane);
  return options.ingest_rule.empty() ? topic : joined(joined("$aws/rules", options.ingest_rule), topic);
}

std::string thing_place(const CloudOptions& options, std::string_view prefix, std::string_view device) {
  return joined(options.profile == Profile::aws ? "$aws/things" : prefix, device);
}

std::optional<std::string> fit(CloudOptions& options, LinkOptions& link) {
  const auto broker = parse_broker_url(link.url, true);
  if (options.profile == Profile::plain || !broker) return std::nullopt;  // what is no URL at all is told elsewhere
  const std::string& host = broker->at.host;
  constexpr std::uint16_t kHttpsPort = 443;
  if (options.profile == Profile::aws) {
    const bool amazon = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
    // VPC and FIPS endpoints (vpce-....iot.REGION.vpce..., data.iot-fips.REGION...) have names of their own.
    const bool is_public = amazon && host.find(".iot.") != std::string::npos && host.find(".vpce.") == std::string::npos;
    if (is_public && host.find("-ats.iot.") == std::string::npos) {
      return "is no endpoint of AWS IoT Core's data (PREFIX-ats.iot.REGION.amazonaws.com); `aws iot describe-endpoint --endpoint-type iot:Data-ATS` tells it";
    }
    if (broker->websocket) return "is a WebSocket, for which AWS IoT Core takes no certificate; use mqtts:// with port 8883 or 443";
    if (broker->at.port == kHttpsPort && link.alpn.empty()) link.alpn = {"x-amzn-mqtt-ca"};
    return std::nullopt;
  }
  // Which hub it is, `fieldpost provision --dps` asks.
  if (options.hub.empty() && host.ends_with(".azure-devices-provisioning.net")) return std::nullopt;
  bool is_hub = false;
  for (const std::string_view domain : kHubDomains) is_hub = is_hub || host.ends_with(domain);
  if (options.hub.empty() && !is_hub) return "names no hub (HUB.azure-devices.net); if it is a gateway before one, set \"hub\" in [cloud]";
  if (options.hub.empty()) options.hub = host;
  link.username = joined(options.hub, link.client_id) + std::string{kHubVersion};
  link.mqtt_version = LinkOptions::MqttVersion::v3_1_1;
  return std::nullopt;
}

std::optional<std::string_view> fault_of_device_name(Profile profile, std::string_view device) {
  // The configuration allows letters, digits and . _ - for every cloud; a client identifier is the same name.
  if (profile == Profile::aws && device.find('.') != std::string_view::npos) {
    return "a thing's name may hold letters, digits, _ and -, and no dot";
  }
  return std::nullopt;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (is_unreserved(c)) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4U];
    encoded += kDigits[byte & 15U];
  }
  return encoded;
}

}  // namespace fieldpost
