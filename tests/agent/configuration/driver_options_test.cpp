// SPDX-License-Identifier: Apache-2.0
// [source.NAME] against a driver table made here.
#include "agent/configuration/driver_options.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fieldpost {
namespace {

Result<std::unique_ptr<Source>> open_nothing(const SourceContext&) {
  return Error{ErrorKind::NotPresent, "a test's driver"};
}

constexpr OptionDeclaration kOptions[] = {
    {"device", OptionDeclaration::Type::text, true, "", "which device"},
    {"gain", OptionDeclaration::Type::real, false, "1", "amplification"},
    {"channels", OptionDeclaration::Type::texts, false, "", "channels"},
    {"retries", OptionDeclaration::Type::integer, false, "3", "retries"},
    {"inverted", OptionDeclaration::Type::boolean, false, "false", "inverted"},
};
constexpr Driver kDrivers[] = {
    {"cpu", "host", "processors", Driver::Reads::on_loop, true, {}, &open_nothing},
    {"adc", "sensors", "converter", Driver::Reads::on_worker, false, kOptions, &open_nothing},
    {"tub", "sensors", "a tub", Driver::Reads::on_loop, false, {}, &open_nothing, seconds{30}, "it runs over"},
};

struct Outcome {
  std::vector<SourceOptions> sources;
  std::vector<std::string> problems;
};

Outcome read(const std::string& text, bool with_defaults = true) {
  TomlValue document;
  TomlFault fault;
  EXPECT_TRUE(parse_toml(text, document, fault)) << fault.sentence;
  Problems problems{"t.toml"};
  SectionReader::File file{problems, ""};
  Outcome outcome;
  outcome.sources =
      read_sources(document.find("source"), kDrivers, seconds{10}, with_defaults, file);
  for (const Problem& problem : std::move(problems).take()) {
    outcome.problems.push_back(to_text(problem));
  }
  return outcome;
}

using Lines = std::vector<std::string>;

TEST(ReadSources, TakesDriversThatAreOnByDefault) {
  const Outcome outcome = read("");
  ASSERT_EQ(outcome.sources.size(), 1U);
  EXPECT_EQ(outcome.sources[0].instance, "cpu");
  EXPECT_EQ(outcome.sources[0].interval, seconds{10});
  EXPECT_FALSE(outcome.sources[0].asked_for);
  EXPECT_TRUE(read("", false).sources.empty());
}

TEST(ReadSources, RefusesAnIntervalThatDoesHarm) {
  EXPECT_EQ(read("[source.tub]\ninterval = \"30s\"\n").problems, Lines{});
  EXPECT_EQ(read("[source.tub]\n\ninterval = \"31s\"\n").problems,
            Lines{"t.toml:3: [source.tub] is read every 31s; set \"interval\" in it to at most 30s: it runs over"});
  EXPECT_EQ(read("[source.tub]\nenabled = false\ninterval = \"31s\"\n").problems, Lines{});
  EXPECT_EQ(read("[source.tub]\n").problems, Lines{}) << "10 s by default";
}

TEST(ReadSources, GivesDriversTheirOptions) {
  const Outcome outcome = read(
      "[source.tank]\ndriver = \"adc\"\ninterval = \"1s\"\ndevice = \"iio0\"\ngain = 2\n"
      "channels = [\"a\", \"b\"]\nretries = 5\ninverted = true\n");
  EXPECT_EQ(outcome.problems, Lines{});
  ASSERT_EQ(outcome.sources.size(), 2U);
  const SourceOptions& tank = outcome.sources[0];
  EXPECT_EQ(tank.instance, "tank");
  EXPECT_EQ(tank.driver, &kDrivers[1]);
  EXPECT_EQ(tank.interval, seconds{1});
  EXPECT_TRUE(tank.asked_for);
  EXPECT_EQ(tank.options.text("device", ""), "iio0");
  EXPECT_DOUBLE_EQ(tank.options.real("gain", 0), 2);
  EXPECT_EQ(tank.options.texts("channels"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(tank.options.integer("retries", 0), 5);
  EXPECT_TRUE(tank.options.boolean("inverted", false));
}

TEST(ReadSources, SwitchesOffWhatIsNotEnabled) {
  EXPECT_TRUE(read("[source.cpu]\nenabled = false\n").sources.empty());
}

TEST(ReadSources, DoesNotAddADefaultBesideANamedOneOfTheSameDriver) {
  const Outcome outcome = read("[source.processors]\ndriver = \"cpu\"\n");
  ASSERT_EQ(outcome.sources.size(), 1U);
  EXPECT_EQ(outcome.sources[0].instance, "processors");
}

TEST(ReadSources, SuggestsTheDriverThatWasMeant) {
  EXPECT_EQ(read("[source.cpuu]\n").problems,
            Lines{"t.toml:1: [source.cpuu] is no driver's name and has no \"driver\"; did you mean "
                  "\"cpu\"?"});
  EXPECT_EQ(read("[source.a]\ndriver = \"barometer\"\n").problems,
            Lines{"t.toml:2: \"driver\" in [source.a] is \"barometer\", which is no driver; "
                  "`fieldpost sources` lists the drivers"});
}

TEST(ReadSources, SuggestsOptionsOfTheDriverToo) {
  EXPECT_EQ(read("[source.adc]\ndevice = \"x\"\ngian = 2\n").problems,
            Lines{"t.toml:3: unknown key \"gian\" in [source.adc]; did you mean \"gain\"?"});
}

TEST(ReadSources, ReportsMissingAndMistypedOptions) {
  EXPECT_EQ(read("[source.adc]\nretries = \"many\"\n").problems,
            (Lines{"t.toml:1: [source.adc] lacks \"device\", which driver \"adc\" needs: which device",
                   "t.toml:2: \"retries\" in [source.adc] must be a whole number, not text"}));
  EXPECT_EQ(read("[source.adc]\ndevice = \"x\"\nchannels = [1]\n").problems,
            Lines{"t.toml:3: \"channels\" in [source.adc] must be a list of texts, such as [\"one\", "
                  "\"two\"], not a list"});
}

TEST(ReadSources, SaysThatSourceIsMadeOfSections) {
  EXPECT_EQ(read("source = 3\n").problems,
            Lines{"t.toml:1: \"source\" must be sections such as [source.cpu]"});
  EXPECT_EQ(read("[source]\ncpu = 3\n").problems,
            Lines{"t.toml:2: [source.cpu] must be a table, not a whole number"});
}

}  // namespace
}  // namespace fieldpost
