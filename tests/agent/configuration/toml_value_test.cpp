// SPDX-License-Identifier: Apache-2.0
// Look-up, and that every type has words.
#include "agent/configuration/toml_value.hpp"

#include <gtest/gtest.h>

#include <set>

namespace fieldpost {
namespace {

TEST(TomlValue, FindsMembersByKey) {
  TomlValue table;
  TomlValue seven;
  seven.type = TomlValue::Type::integer;
  seven.integer = 7;
  table.table.push_back({"a", 1, seven});
  ASSERT_NE(table.find("a"), nullptr);
  EXPECT_EQ(table.find("a")->integer, 7);
  EXPECT_EQ(table.find("A"), nullptr);
  EXPECT_EQ(seven.find("a"), nullptr);
}

TEST(TomlValue, HasWordsOfItsOwnForEachType) {
  using Type = TomlValue::Type;
  std::set<std::string_view> words;
  for (const Type type : {Type::boolean, Type::integer, Type::real, Type::text, Type::array, Type::table,
                          Type::date}) {
    words.insert(to_text(type));
  }
  EXPECT_EQ(words.size(), 7U);
}

}  // namespace
}  // namespace fieldpost
