// SPDX-License-Identifier: Apache-2.0
// Every type with its line, and broken files as one sentence with a line.
#include <gtest/gtest.h>

#include <string>

#include "agent/configuration/toml_value.hpp"

namespace fieldpost {
namespace {

TEST(ParseToml, KeepsTypesAndLines) {
  TomlValue document;
  TomlFault fault;
  ASSERT_TRUE(parse_toml("flag = true\n"
                         "[a]\n"
                         "whole = 7\n"
                         "real = 1.5\n"
                         "text = \"x\"\n"
                         "when = 2026-01-01\n"
                         "list = [1,\n"
                         "  2]\n"
                         "[b.c]\n"
                         "k = 1\n"
                         "[[d]]\n"
                         "[[d]]\n"
                         "k = 2\n",
                         document, fault));
  EXPECT_TRUE(document.find("flag")->boolean);
  const TomlValue* a = document.find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->line, 2);
  EXPECT_EQ(a->find("whole")->integer, 7);
  EXPECT_EQ(a->find("whole")->line, 3);
  EXPECT_DOUBLE_EQ(a->find("real")->real, 1.5);
  EXPECT_EQ(a->find("text")->text, "x");
  EXPECT_EQ(a->find("when")->type, TomlValue::Type::date);
  ASSERT_EQ(a->find("list")->array.size(), 2U);
  EXPECT_EQ(a->find("list")->array[1].line, 8);
  const TomlValue* c = document.find("b")->find("c");
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->line, 9);
  const TomlValue* d = document.find("d");
  ASSERT_EQ(d->array.size(), 2U);
  EXPECT_EQ(d->array[1].line, 12);
  EXPECT_EQ(d->array[1].find("k")->line, 13);
  EXPECT_EQ(document.find("absent"), nullptr);
}

TEST(ParseToml, SaysWhereAFileIsBroken) {
  TomlValue document;
  TomlFault fault;
  EXPECT_FALSE(parse_toml("a = 1\nb = \n", document, fault));
  EXPECT_EQ(fault.line, 2);
  EXPECT_EQ(fault.sentence.find('\n'), std::string::npos);
  EXPECT_FALSE(parse_toml("a = 1\na = 2\n", document, fault));
  EXPECT_EQ(fault.line, 2);
  EXPECT_FALSE(parse_toml(std::string_view{"\xff\xfe", 2}, document, fault));
}

TEST(ParseToml, TakesAFileAtItsBoundAndRefusesOneByteMore) {
  std::string text = "a = 1 #";
  text.resize(kTomlBytesMax, ' ');
  TomlValue document;
  TomlFault fault;
  EXPECT_TRUE(parse_toml(text, document, fault));
  text += ' ';
  EXPECT_FALSE(parse_toml(text, document, fault));
  EXPECT_EQ(fault.sentence, "larger than 1 MiB; a configuration is a few kilobytes");
}

TEST(ParseToml, RefusesDeepNestingInsteadOfOverflowingTheStack) {
  TomlValue document;
  TomlFault fault;
  EXPECT_FALSE(parse_toml("a = " + std::string(100'000, '['), document, fault));
}

}  // namespace
}  // namespace fieldpost
