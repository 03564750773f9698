// SPDX-License-Identifier: Apache-2.0
// Getters of one made-up section: what was written, the default where it was not or was wrong.
#include "agent/configuration/section_reader.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fieldpost {
namespace {

using Type = KeyDeclaration::Type;
using Lines = std::vector<std::string>;

constexpr KeyDeclaration kInnerKeys[] = {
    {.key = "x", .type = Type::real, .default_text = "2.5", .help = "x"},
};
constexpr SectionDeclaration kInner{"inner", "", kInnerKeys};
constexpr KeyDeclaration kKeys[] = {
    {.key = "flag", .type = Type::boolean, .default_text = "true", .help = "h"},
    {.key = "count", .type = Type::integer, .default_text = "3", .help = "h", .min = 1, .max = 9},
    {.key = "ratio", .type = Type::real, .default_text = "0.5", .help = "h"},
    {.key = "name", .type = Type::text, .default_text = "n", .help = "h"},
    {.key = "list", .type = Type::texts, .default_text = "", .help = "h"},
    {.key = "numbers", .type = Type::reals, .default_text = "", .help = "h"},
    {.key = "span", .type = Type::range, .default_text = "", .help = "h"},
    {.key = "wait", .type = Type::duration, .default_text = "10s", .help = "h"},
    {.key = "room", .type = Type::size, .default_text = "1KiB", .help = "h"},
    {.key = "where", .type = Type::file, .default_text = "", .help = "h"},
    {.key = "tags", .type = Type::text_table, .default_text = "", .help = "h"},
    {.key = "inner", .type = Type::section, .default_text = "", .help = "h", .inner = &kInner},
    {.key = "must", .type = Type::text, .default_text = "", .help = "what must be", .required = true},
};
constexpr SectionDeclaration kSection{"[section]", "", kKeys};

class SectionReaderTest : public testing::Test {
 protected:
  SectionReader read(const std::string& text) {
    TomlFault fault;
    EXPECT_TRUE(parse_toml(text, document_, fault)) << fault.sentence;
    return {kSection, document_.find("section"), file_};
  }
  Lines problems() {
    Lines lines;
    for (const Problem& problem : std::move(problems_).take()) lines.push_back(to_text(problem));
    return lines;
  }

  TomlValue document_;
  Problems problems_{"f"};
  SectionReader::File file_{problems_, "/base", false};
};

TEST_F(SectionReaderTest, GivesWhatWasWritten) {
  const SectionReader reader = read(
      "[section]\nflag = false\ncount = 9\nratio = 2\nname = \"x\"\nlist = [\"a\"]\nnumbers = [1, 2.5]\n"
      "span = [-1, 1]\nwait = \"2m\"\nroom = \"5B\"\nwhere = \"a/b\"\ntags = { k = \"v\" }\n"
      "inner = { x = 7 }\nmust = \"y\"\n");
  EXPECT_TRUE(reader.present());
  EXPECT_FALSE(reader.boolean("flag"));
  EXPECT_EQ(reader.integer("count"), 9);
  EXPECT_DOUBLE_EQ(reader.real("ratio"), 2);
  EXPECT_EQ(reader.text("name"), "x");
  EXPECT_EQ(reader.texts("list"), Lines{"a"});
  EXPECT_EQ(reader.reals("numbers"), (std::vector<double>{1, 2.5}));
  EXPECT_EQ(reader.range("span"), std::pair(-1.0, 1.0));
  EXPECT_EQ(reader.duration("wait"), seconds{120});
  EXPECT_EQ(reader.size("room"), 5);
  EXPECT_EQ(reader.path("where"), "/base/a/b");
  EXPECT_EQ(reader.text_table("tags"), (std::vector<std::pair<std::string, std::string>>{{"k", "v"}}));
  EXPECT_DOUBLE_EQ(reader.section("inner").real("x"), 7);
  EXPECT_EQ(reader.line_of("count"), 3);
  EXPECT_EQ(problems(), Lines{});
}

TEST_F(SectionReaderTest, GivesDefaultsWhereTheSectionIsAbsent) {
  const SectionReader reader = read("");
  EXPECT_FALSE(reader.present());
  EXPECT_TRUE(reader.boolean("flag"));
  EXPECT_EQ(reader.integer("count"), 3);
  EXPECT_DOUBLE_EQ(reader.real("ratio"), 0.5);
  EXPECT_EQ(reader.text("name"), "n");
  EXPECT_EQ(reader.duration("wait"), seconds{10});
  EXPECT_EQ(reader.size("room"), 1'024);
  EXPECT_EQ(reader.path("where"), "");
  EXPECT_DOUBLE_EQ(reader.section("inner").real("x"), 2.5);
  EXPECT_EQ(reader.given_real("ratio"), std::nullopt);
  EXPECT_EQ(problems(), Lines{});
}

TEST_F(SectionReaderTest, GivesTheDefaultWhereAValueIsWrongAndGoesOn) {
  const SectionReader reader = read("[section]\ncount = 10\nwait = 5\nmust = \"y\"\n");
  EXPECT_EQ(reader.integer("count"), 3);
  EXPECT_FALSE(reader.given("count"));
  EXPECT_EQ(reader.duration("wait"), seconds{10});
  EXPECT_EQ(problems(),
            (Lines{"f:2: \"count\" in [section] is 10; it must be between 1 and 9",
                   "f:3: \"wait\" in [section] must be a duration such as \"10s\", \"500ms\", \"5m\" or "
                   "\"30d\", not a bare number: which unit is meant?"}));
}

TEST_F(SectionReaderTest, MissesARequiredKey) {
  read("\n[section]\nflag = true\n");
  EXPECT_EQ(problems(), Lines{"f:2: [section] lacks \"must\": what must be"});
}

TEST_F(SectionReaderTest, RefusesWhatIsNoTable) {
  EXPECT_FALSE(read("section = 4\n").present());
  EXPECT_EQ(problems(), Lines{"f:1: [section] must be a table, not a whole number"});
}

TEST(ResolveBeside, PutsRelativePathsBesideTheFile) {
  EXPECT_EQ(resolve_beside("/etc/f", "a.pem"), "/etc/f/a.pem");
  EXPECT_EQ(resolve_beside("/etc/f", "/x/a.pem"), "/x/a.pem");
  EXPECT_EQ(resolve_beside("", "a.pem"), "a.pem");
  EXPECT_EQ(resolve_beside("/etc/f", ""), "");
}

}  // namespace
}  // namespace fieldpost
