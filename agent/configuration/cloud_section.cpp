// SPDX-License-Identifier: Apache-2.0
#include "agent/configuration/cloud_section.hpp"

#include <algorithm>

namespace fieldpost {
namespace {

using Profile = CloudOptions::Profile;

/// The longest lane's name, and the longest content type: what the topic of any reading is measured with.
constexpr std::string_view kLongestLane = "alert";
constexpr std::string_view kSomeContentType = "application/json";

/// Shadows and rules: AWS allows 64 letters, digits, and for a shadow ":" as well, which we need not.
bool is_name(const std::string& name, bool hyphens) {
  return name.size() <= 64 && std::all_of(name.begin(), name.end(), [hyphens](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (hyphens && c == '-');
         });
}

std::string in_section(std::string_view key, std::string_view section) {
  return "\"" + std::string{key} + "\" in [" + std::string{section} + "] ";
}

/// Keys of [cloud] that only some profiles have.
void check_keys(const SectionReader& cloud, const CloudOptions& options) {
  struct Only {
    std::string_view key;
    bool aws, azure, plain;
  };
  constexpr Only kOnly[] = {{"hub", false, true, false},
                            {"basic_ingest_rule", true, false, false},
                            {"shadow", true, false, true},
                            {"presence", false, false, true},
                            {"device_defender", true, false, false},
                            {"device_defender_interval", true, false, false}};
  for (const Only& only : kOnly) {
    const bool fits = options.profile == Profile::aws ? only.aws : options.profile == Profile::azure ? only.azure : only.plain;
    if (fits || !cloud.given(only.key)) continue;
    cloud.error_at(only.key, in_section(only.key, "cloud") + "means nothing with profile = \"" +
                                 std::string{limits_of(options.profile).name} + "\"; leave it out");
  }
  if (!is_name(options.ingest_rule, false)) {
    cloud.error_at("basic_ingest_rule", in_section("basic_ingest_rule", "cloud") + "is \"" + options.ingest_rule +
                                            "\"; a rule's name may hold 1 to 64 letters, digits and _");
  }
  if (!is_name(options.shadow, true)) {
    cloud.error_at("shadow", in_section("shadow", "cloud") + "is \"" + options.shadow +
                                 "\"; a shadow's name may hold 1 to 64 letters, digits, _ and -");
  }
}

void check_broker(const SectionReader& broker, const CloudLimits& limits, const LinkOptions& link) {
  const std::string service{limits.service};
  if (link.keep_alive < limits.keep_alive_min || link.keep_alive > limits.keep_alive_max) {
    broker.error_at("keep_alive", in_section("keep_alive", "broker") + "is " + std::to_string(link.keep_alive.count()) + " s; " +
                                      service + " takes " + std::to_string(limits.keep_alive_min.count()) + " to " +
                                      std::to_string(limits.keep_alive_max.count()) + " s");
  }
  if (!limits.mqtt_v5 && broker.given("mqtt_version") && broker.text("mqtt_version") == "5") {
    broker.error_at("mqtt_version", in_section("mqtt_version", "broker") + "is 5, but " + service + " speaks 3.1.1 only; leave it out");
  }
  if (limits.topics_free) return;
  for (const std::string_view key : {"topic_prefix", "username", "password_file"}) {
    if (!broker.given(key)) continue;
    broker.error_at(key, in_section(key, "broker") + "is not ours to choose with " + service + "; leave it out");
  }
}

void check_topics(const SectionReader& broker, const CloudLimits& limits, const Configuration& configuration) {
  std::string topic = lane_topic(configuration.cloud, configuration.topic_prefix, configuration.device_name, kLongestLane, kSomeContentType);
  if (!configuration.cloud.ingest_rule.empty()) {
    // "$aws/rules/RULE/" is free of charge in both counts.
    topic = lane_topic({.profile = configuration.cloud.profile}, configuration.topic_prefix, configuration.device_name, kLongestLane, kSomeContentType);
  }
  const auto slashes = static_cast<std::size_t>(std::count(topic.begin(), topic.end(), '/'));
  if (limits.topic_slashes_max != 0 && slashes > limits.topic_slashes_max) {
    broker.error_at("topic_prefix", in_section("topic_prefix", "broker") + "makes topics of " + std::to_string(slashes) + " slashes, such as " +
                                        topic + "; " + std::string{limits.service} + " takes " + std::to_string(limits.topic_slashes_max));
  }
  if (limits.topic_bytes_max != 0 && topic.size() > limits.topic_bytes_max) {
    broker.error_at("topic_prefix", in_section("topic_prefix", "broker") + "makes topics of " + std::to_string(topic.size()) +
                                        " bytes; " + std::string{limits.service} + " takes " + std::to_string(limits.topic_bytes_max));
  }
}

}  // namespace

void read_cloud(const SectionReader& cloud, const SectionReader& broker, const SectionReader& identity,
                Configuration& configuration) {
  CloudOptions& options = configuration.cloud;
  options.profile = cloud_profile(cloud.text("profile")).value_or(Profile::plain);
  options.hub = cloud.text("hub");
  options.ingest_rule = cloud.text("basic_ingest_rule");
  options.desired_state = cloud.boolean("desired_state");
  options.shadow = cloud.text("shadow");
  options.confirm_within = std::chrono::duration_cast<seconds>(cloud.duration("confirm_within"));
  options.presence = cloud.boolean("presence");
  options.defender = cloud.boolean("device_defender");
  options.defender_interval = std::chrono::duration_cast<seconds>(cloud.duration("device_defender_interval"));
  check_keys(cloud, options);
  const CloudLimits& limits = limits_of(options.profile);
  if (const auto fault = fault_of_device_name(options.profile, configuration.device_name)) {
    cloud.error_at("profile", "the device is called \"" + configuration.device_name + "\", but with " + std::string{limits.service} + " " +
                                  std::string{*fault} + "; set \"name\" in [device]");
  }
  if (!configuration.has_broker) {
    if (options.profile != Profile::plain) {
      cloud.error_at("profile", in_section("profile", "cloud") + "needs [broker] with the url of " + std::string{limits.service});
    }
    return;
  }
  if (!limits.topics_free && configuration.identity.authority == IdentityOptions::Authority::mqtt) {
    identity.error_at("authority", in_section("authority", "identity") + "needs topics that " + std::string{limits.service} + " does not have");
  }
  check_broker(broker, limits, configuration.link);
  check_topics(broker, limits, configuration);
  if (const auto fault = fit(options, configuration.link)) {
    broker.error_at("url", in_section("url", "broker") + "is \"" + configuration.link.url + "\", which " + *fault);
  }
}

}  // namespace fieldpost
