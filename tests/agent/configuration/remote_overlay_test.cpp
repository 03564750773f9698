// SPDX-License-Identifier: Apache-2.0
// What comes through is read as the file would be; what does not is said by name.
#include "agent/configuration/remote_overlay.hpp"

#include <gtest/gtest.h>

#include <string>

#include "agent/configuration/configuration.hpp"
#include "agent/configuration/declaration.hpp"

namespace fieldpost {
namespace {

ConfigurationResult read_with(std::string_view file, std::string_view json) {
  const DropIn overlay{"from afar", remote_overlay(json)};
  return read_configuration(file, {.file_name = "gw.toml",
                                   .directory = "/etc/fieldpost",
                                   .host_name = "gw17",
                                   .drivers = driver_table(),
                                   .drop_ins = {overlay},
                                   .files_are_checked = false});
}

std::string refusal_of(std::string_view json) {
  const auto overlay = remote_overlay(json);
  return overlay ? "taken: " + *overlay : overlay.error().sentence();
}

TEST(RemoteOverlay, IsLaidOverTheFilesKeyByKey) {
  const ConfigurationResult result = read_with(
      "[sampling]\ninterval = \"10s\"\ndefault_sources = false\n[source.cpu]\n[[rule]]\nname = \"a\"\nseries = \"x\"\nwarn_above = 1\n",
      R"({"sampling":{"interval":"30s"},"source":{"cpu":{"interval":"1m"}},"log":{"level":"debug"},
          "rule":[{"name":"h\u00f6t \"x\"","series":"node_*","warn_above":75.5,"labels":{"a":"b*"}}],
          "series":[{"match":"*","quantiles":[0.5,0.95],"deadband":{"absolute":2}}]})");
  ASSERT_TRUE(result.ok()) << to_text(result.problems.at(0));
  ASSERT_EQ(result.configuration.sources.size(), 1U) << "default_sources is still off";
  EXPECT_EQ(result.configuration.sources[0].interval, seconds{60});
  EXPECT_EQ(result.configuration.log_level, LogLevel::debug);
  ASSERT_EQ(result.configuration.rules.size(), 2U);
  EXPECT_EQ(result.configuration.rules[1].name, "h\xC3\xB6t \"x\"");
  EXPECT_EQ(result.configuration.rules[1].warn_above, 75.5);
}

TEST(RemoteOverlay, MeetsTheSameChecksAsAFile) {
  const ConfigurationResult result = read_with("", R"({"log":{"level":"warn"},"sampling":{"intervall":"30s"}})");
  ASSERT_EQ(result.errors, 1U);
  std::string told;
  for (const Problem& problem : result.problems) told += to_text(problem) + "\n";
  EXPECT_NE(told.find("from afar:2: unknown key \"intervall\" in [sampling]; did you mean \"interval\"?"), std::string::npos) << told;
}

TEST(RemoteOverlay, TimeoutsLeaveRoomForASlowLink) {
  EXPECT_EQ(refusal_of(R"({"broker":{"connect_timeout":"9s"}})"), "\"connect_timeout\" is at least 10s from afar");
  EXPECT_EQ(refusal_of(R"({"broker":{"acknowledge_timeout":"9999ms"}})"), "\"acknowledge_timeout\" is at least 10s from afar");
  EXPECT_TRUE(remote_overlay(R"({"broker":{"connect_timeout":"10s","acknowledge_timeout":"10s"}})"));
}

TEST(RemoteOverlay, EmptyIsTheFilesAlone) { EXPECT_EQ(*remote_overlay("{}"), ""); }

TEST(RemoteOverlay, WhatCouldCutTheDeviceOffOrNameAFileStaysLocal) {
  EXPECT_EQ(refusal_of(R"({"device":{"name":"x"}})"), "[device] may not be changed from afar; it is set in the device's own files");
  EXPECT_EQ(refusal_of(R"({"broker":{"url":"mqtts://thief"}})"),
            "\"url\" in [broker] may not be changed from afar; it is set in the device's own files");
  EXPECT_EQ(refusal_of(R"({"source":{"ffmpeg":{"progress":"/etc/shadow"}}})"),
            "\"progress\" in [source.ffmpeg] may not be changed from afar; it is set in the device's own files");
  for (const char* section : {"identity", "cloud", "control", "jobs", "ota", "new"}) {
    EXPECT_TRUE(refusal_of("{\"" + std::string{section} + "\":{}}").starts_with("[" + std::string{section} + "] may not"));
  }
  EXPECT_TRUE(refusal_of(R"({"outbox":{"directory":"/"}})").starts_with("\"directory\" in [outbox] may not"));
}

TEST(RemoteOverlay, NoKeyThatNamesAFileIsLetThrough) {
  using Type = KeyDeclaration::Type;
  for (const SectionDeclaration* section : section_table()) {
    const std::string title{section->title};
    if (!title.starts_with("[") || title == "[source.NAME]") continue;
    const std::string name = title.substr(title.rfind('[') + 1, title.find(']') - title.rfind('[') - 1);
    for (const KeyDeclaration& key : section->keys) {
      const bool names_a_file = key.type == Type::file || key.type == Type::secret_file || key.type == Type::absolute_path;
      if (!names_a_file) continue;
      EXPECT_FALSE(remote_overlay("{\"" + name + "\":{\"" + std::string{key.key} + "\":\"/x\"}}")) << title << " " << key.key;
    }
  }
}

TEST(RemoteOverlay, AllThatIsOpenIsTaken) {
  for (const char* key : {"keep_alive", "acknowledge_timeout", "connect_timeout", "backoff_max"}) {
    EXPECT_TRUE(remote_overlay("{\"broker\":{\"" + std::string{key} + "\":\"60s\"}}")) << key;
  }
  for (const char* key : {"quota", "age", "flush_interval", "flash_bytes_per_day", "flush_interval_max", "thin_window", "segment_max"}) {
    EXPECT_TRUE(remote_overlay("{\"outbox\":{\"" + std::string{key} + "\":\"60s\"}}")) << key;
  }
}

TEST(RemoteOverlay, WhatIsNoConfigurationIsRefused) {
  EXPECT_EQ(refusal_of("[]"), "a configuration is a JSON object of sections");
  EXPECT_EQ(refusal_of(R"({"log":{"level":null}})"), "null means nothing in a configuration; leave the key out");
  EXPECT_TRUE(refusal_of("{").starts_with("JSON"));
  EXPECT_TRUE(remote_overlay("{\"log\":{\"level\":\"" + std::string(kRemoteOverlayBytesMax - 20, 'a') + "\"}}"));
  EXPECT_FALSE(remote_overlay("{\"log\":{\"level\":\"" + std::string(kRemoteOverlayBytesMax - 19, 'a') + "\"}}"));
  EXPECT_EQ(refusal_of(R"({"broker":3})"), "\"broker\" must be an object");
}

}  // namespace
}  // namespace fieldpost
