// SPDX-License-Identifier: Apache-2.0
// The tables agree with themselves: every default would pass its own check.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "agent/configuration/declaration.hpp"
#include "agent/configuration/toml_value.hpp"
#include "agent/configuration/value_check.hpp"

namespace fieldpost {
namespace {

bool is_written_bare(KeyDeclaration::Type type) {
  using Type = KeyDeclaration::Type;
  return type == Type::boolean || type == Type::integer || type == Type::real ||
         type == Type::texts || type == Type::reals || type == Type::range;
}

TEST(Sections, HaveDefaultsThatPassTheirOwnChecks) {
  for (const SectionDeclaration* section : section_table()) {
    for (const KeyDeclaration& key : section->keys) {
      if (key.default_text.empty()) continue;
      const std::string text{key.default_text};
      TomlValue document;
      TomlFault fault;
      ASSERT_TRUE(parse_toml("k = " + (is_written_bare(key.type) ? text : "\"" + text + "\""),
                             document, fault))
          << section->title << key.key;
      EXPECT_EQ(fault_of(key, *document.find("k")), std::nullopt) << section->title << key.key;
    }
  }
}

TEST(Sections, NameEachKeyOnceAndExplainIt) {
  for (const SectionDeclaration* section : section_table()) {
    std::set<std::string_view> seen;
    for (const KeyDeclaration& key : section->keys) {
      EXPECT_TRUE(seen.insert(key.key).second) << section->title << key.key;
      EXPECT_FALSE(key.help.empty()) << section->title << key.key;
      EXPECT_EQ(key.type == KeyDeclaration::Type::choice, !key.choices.empty()) << key.key;
      EXPECT_EQ(key.type == KeyDeclaration::Type::section, key.inner != nullptr) << key.key;
    }
  }
}

}  // namespace
}  // namespace fieldpost
