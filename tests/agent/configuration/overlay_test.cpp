// SPDX-License-Identifier: Apache-2.0
// What wins over what, and that a message still names the place where a value was written.
#include "agent/configuration/overlay.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fieldpost {
namespace {

using Lines = std::vector<std::string>;

ConfigurationResult read(const std::string& text, std::vector<DropIn> drop_ins,
                         std::vector<EnvironmentVariable> environment = {}) {
  return read_configuration(text, {.file_name = "f.toml",
                                   .directory = "/etc/fieldpost",
                                   .host_name = "gw17",
                                   .drivers = driver_table(),
                                   .drop_ins = std::move(drop_ins),
                                   .environment = std::move(environment),
                                   .files_are_checked = false});
}

Lines errors_of(const ConfigurationResult& result) {
  Lines lines;
  for (const Problem& problem : result.problems) {
    if (problem.severity == Problem::Severity::error) lines.push_back(to_text(problem));
  }
  return lines;
}

Lines faults_of(std::vector<EnvironmentVariable> environment) {
  return errors_of(read("", {}, std::move(environment)));
}

TEST(Overlay, ALaterFileWinsKeyByKey) {
  const ConfigurationResult result =
      read("[outbox]\nquota = \"8MiB\"\nage = \"1d\"\n",
           {{"a.toml", "[outbox]\nquota = \"9MiB\"\n"}, {"b.toml", "[outbox]\nflush_interval = \"3s\"\n"}});
  EXPECT_EQ(errors_of(result), Lines{});
  EXPECT_EQ(result.configuration.store.quota_bytes, 9 << 20);
  EXPECT_EQ(result.configuration.store.age_max, seconds{86'400});
  EXPECT_EQ(result.configuration.store.flush_interval, seconds{3});
  EXPECT_EQ(result.files, (Lines{"f.toml", "a.toml", "b.toml"}));
}

TEST(Overlay, SourcesAreMergedAndListsOfTablesContinued) {
  const ConfigurationResult result = read(
      "[sampling]\ndefault_sources = false\n[source.s]\ndriver = \"simulated\"\n"
      "[[rule]]\nname = \"a\"\nseries = \"x\"\nwarn_above = 1\n[[series]]\nmatch = \"*\"\nscale = 2\n",
      {{"a.toml",
        "[source.s]\ninterval = \"3s\"\n[source.cpu]\n"
        "[[rule]]\nname = \"b\"\nseries = \"x\"\nwarn_above = 1\n[[series]]\nmatch = \"*\"\nscale = 3\n"}});
  ASSERT_EQ(errors_of(result), Lines{});
  ASSERT_EQ(result.configuration.sources.size(), 2U);
  EXPECT_EQ(result.configuration.sources[1].instance, "s");
  EXPECT_EQ(result.configuration.sources[1].interval, seconds{3});
  ASSERT_EQ(result.configuration.rules.size(), 2U);
  EXPECT_EQ(result.configuration.rules[0].name, "a");
  Series series;
  series.name = "any";
  EXPECT_DOUBLE_EQ(result.configuration.series.of(series).filter.scale, 3);
}

TEST(Overlay, AnOrdinaryListIsReplaced) {
  const ConfigurationResult result =
      read("[broker]\nurl = \"mqtts://b\"\nusername = \"u\"\nalpn = [\"a\", \"b\"]\n",
           {{"a.toml", "broker.alpn = [\"c\"]\n"}});
  ASSERT_EQ(errors_of(result), Lines{});
  EXPECT_EQ(result.configuration.link.alpn, Lines{"c"});
}

TEST(Overlay, EveryProblemNamesTheFileThatHasIt) {
  EXPECT_EQ(
      errors_of(read("[log]\nlevel = \"info\"\n\n[sampling]\nx = 1\n",
                     {{"a.toml", "[sampling]\n\n\ninterval = 3\n"},
                      {"b.toml", "[log]\nlevel = \"loud\"\n[nonsense]\n"}})),
      (Lines{
          "f.toml:5: unknown key \"x\" in [sampling]",
          "a.toml:4: \"interval\" in [sampling] must be a duration such as \"10s\", \"500ms\", \"5m\" or "
          "\"30d\", not a bare number: which unit is meant?",
          "b.toml:2: \"level\" in [log] is \"loud\"; it must be \"error\", \"warn\", \"info\" or \"debug\"",
          "b.toml:3: unknown section [nonsense]"}));
}

TEST(Overlay, AFileThatIsNotTomlOrCannotBeReadStandsAlone) {
  EXPECT_EQ(
      errors_of(read("[log]\nlevle = 1\n", {{"a.toml", "x"}, {"b.toml", Error{ErrorKind::Denied, "no"}}}))
          .size(),
      2U);
  EXPECT_EQ(errors_of(read("", {{"b.toml", Error{ErrorKind::Denied, "not readable"}}})),
            Lines{"b.toml: not readable"});
}

TEST(Environment, SetsAnyKeyOfASectionThatStandsOnce) {
  const ConfigurationResult result = read("[broker]\nurl = \"mqtts://file\"\n", {},
                                          {{"FIELDPOST_BROKER_URL", "mqtts://outside"},
                                           {"FIELDPOST_BROKER_CA_FILE", "ca.pem"},
                                           {"FIELDPOST_BROKER_USERNAME", "007"},
                                           {"FIELDPOST_BROKER_ALPN", "[\"x\"]"},
                                           {"FIELDPOST_SAMPLING_DEFAULT_SOURCES", "false"},
                                           {"FIELDPOST_OUTBOX_QUOTA", "7MiB"},
                                           {"FIELDPOST_LOG_LEVEL", "debug"},
                                           {"FIELDPOST_DEVICE_NAME", ""}});
  EXPECT_EQ(errors_of(result), Lines{});
  EXPECT_EQ(result.configuration.link.url, "mqtts://outside");
  EXPECT_EQ(result.configuration.link.ca_file, "/etc/fieldpost/ca.pem");
  EXPECT_EQ(result.configuration.link.username, "007");
  EXPECT_EQ(result.configuration.link.alpn, Lines{"x"});
  EXPECT_TRUE(result.configuration.sources.empty());
  EXPECT_EQ(result.configuration.store.quota_bytes, 7 << 20);
  EXPECT_EQ(result.configuration.log_level, LogLevel::debug);
  EXPECT_EQ(result.configuration.device_name, "gw17") << "an empty variable is as good as none";
}

TEST(Environment, WrongVariablesAreRefusedByTheirName) {
  EXPECT_EQ(faults_of({{"FIELDPOST_LOG_LEVLE", "info"}}),
            Lines{"environment variable FIELDPOST_LOG_LEVLE: unknown key \"levle\" in [log]; did you mean "
                  "\"level\"?"});
  EXPECT_EQ(faults_of({{"FIELDPOST_SAMPLING_INTERVAL", "10"}}),
            Lines{"environment variable FIELDPOST_SAMPLING_INTERVAL: \"interval\" in [sampling] is wrong: "
                  "\"10\" is not a "
                  "duration such as \"10s\", \"500ms\", \"5m\" or \"30d\""});
  EXPECT_EQ(faults_of({{"FIELDPOST_SELF_ENABLED", "no"}}),
            Lines{"environment variable FIELDPOST_SELF_ENABLED: \"enabled\" in [self] must be true or false, "
                  "not text"});
  EXPECT_EQ(faults_of({{"FIELDPOST_SELF_ENABLED", "true\nx = 1"}}).size(), 0U);
  EXPECT_EQ(faults_of({{"FIELDPOST_BROKR_URL", "x"}}),
            Lines{"environment variable FIELDPOST_BROKR_URL: there is no section [brokr]; did you mean "
                  "FIELDPOST_BROKER_URL?"});
  EXPECT_EQ(
      faults_of({{"FIELDPOST_LOG", "debug"}}),
      Lines{"environment variable FIELDPOST_LOG: names no key of [log]; did you mean FIELDPOST_LOG_LEVEL?"});
  EXPECT_EQ(faults_of({{"FIELDPOST_SOURCE_CPU_INTERVAL", "1s"}}),
            Lines{"environment variable FIELDPOST_SOURCE_CPU_INTERVAL: sources, series and rules are set in "
                  "files, such as "
                  "conf.d/source.toml"});
}

TEST(Environment, VariablesOfOthersAreLeftAlone) {
  EXPECT_EQ(faults_of({{"FIELDPOST_BINARY", "x"},
                       {"FIELDPOST_CACHE", "x"},
                       {"FIELDPOST_NO_SETUP", "1"},
                       {"PATH", "x"},
                       {"LOG_LEVEL", "x"}}),
            Lines{});
}

}  // namespace
}  // namespace fieldpost
