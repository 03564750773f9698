// SPDX-License-Identifier: Apache-2.0
// Both spellings of an option, and the sentence for each way to get one wrong.
#include "agent/commands/arguments.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fieldpost {
namespace {

constexpr CommandOption kOptions[] = {
    {"--config", "FILE", "a file"},
    {"--format", "FORMAT", "a format", "text|json"},
    {"--explain", "", "a switch"},
};

Result<Arguments> parse(std::vector<std::string_view> words) { return Arguments::parse(words, kOptions); }

std::string fault(std::vector<std::string_view> words) {
  const auto parsed = parse(std::move(words));
  return parsed ? "taken" : parsed.error().sentence();
}

TEST(Arguments, TakeBothSpellings) {
  for (const auto& parsed : {parse({"--config", "a b", "--explain"}), parse({"--explain", "--config=a b"})}) {
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->text("--config", ""), "a b");
    EXPECT_TRUE(parsed->has("--explain"));
    EXPECT_FALSE(parsed->has("--format"));
    EXPECT_EQ(parsed->text("--format", "text"), "text");
  }
  EXPECT_EQ(parse({"--config="})->text("--config", "x"), "");
  EXPECT_EQ(parse({"--config", "--explain"})->text("--config", ""), "--explain");
  EXPECT_TRUE(parse({}));
}

TEST(Arguments, TakeTheWordsThatTheirFormAsksFor) {
  const auto with = [](std::vector<std::string_view> words, std::string_view form) {
    const auto parsed = Arguments::parse(words, kOptions, form);
    if (!parsed) return parsed.error().sentence();
    std::string text;
    for (const std::string& word : parsed->words()) text += "<" + word + ">";
    return text;
  };
  EXPECT_EQ(with({"a", "--explain", "-b"}, "NAME FILE"), "<a><-b>");
  EXPECT_EQ(with({"a"}, "NAME FILE"), "these words are needed: NAME FILE");
  EXPECT_EQ(with({"a", "b", "c"}, "NAME FILE"), "unexpected word \"c\"");
  EXPECT_EQ(with({"a", "b", "--config", "x", "c"}, "NAME FILE..."), "<a><b><c>");
  EXPECT_EQ(with({"a"}, "NAME FILE..."), "these words are needed: NAME FILE...");
  EXPECT_EQ(with({"a", "--confg"}, "NAME"), "unknown option \"--confg\"; did you mean --config?");
}

TEST(Arguments, SayWhatWouldBeRight) {
  EXPECT_EQ(fault({"--confg", "x"}), "unknown option \"--confg\"; did you mean --config?");
  EXPECT_EQ(fault({"--zzzzzzzz"}), "unknown option \"--zzzzzzzz\"");
  EXPECT_EQ(fault({"gateway.toml"}), "unexpected word \"gateway.toml\"");
  EXPECT_EQ(fault({"--config"}), "--config needs a value: --config FILE");
  EXPECT_EQ(fault({"--format"}), "--format needs a value: --format text|json");
  EXPECT_EQ(fault({"--format", "xml"}), "--format is \"xml\"; it must be one of text|json");
  EXPECT_EQ(fault({"--format", "text|json"}), "--format is \"text|json\"; it must be one of text|json");
  EXPECT_EQ(fault({"--explain=yes"}), "--explain takes no value");
  EXPECT_EQ(fault({"--config", "a", "--config", "b"}), "--config is given twice");
}

TEST(Arguments, PutHelpBeforeEverything) {
  EXPECT_TRUE(parse({"--nonsense", "--help"})->help_wanted());
  EXPECT_TRUE(parse({"-h"})->help_wanted());
  EXPECT_FALSE(parse({"--explain"})->help_wanted());
}

}  // namespace
}  // namespace fieldpost
