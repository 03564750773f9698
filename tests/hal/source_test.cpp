// SPDX-License-Identifier: Apache-2.0
#include "hal/source.hpp"

#include <gtest/gtest.h>

#include <set>

namespace fieldpost {
namespace {

TEST(OptionValues, GiveTheFallbackForWhatIsAbsentOrOfAnotherType) {
  const OptionValues options{{{"name", std::string{"eth0"}},
                              {"count", std::int64_t{3}},
                              {"ratio", 0.5},
                              {"on", true},
                              {"list", std::vector<std::string>{"a", "b"}}}};
  EXPECT_EQ(options.text("name", "x"), "eth0");
  EXPECT_EQ(options.text("count", "x"), "x");
  EXPECT_EQ(options.integer("count", 7), 3);
  EXPECT_EQ(options.integer("absent", 7), 7);
  EXPECT_EQ(options.real("ratio", 1), 0.5);
  EXPECT_EQ(options.real("count", 1), 3.0) << "an integer is a real";
  EXPECT_TRUE(options.boolean("on", false));
  EXPECT_EQ(options.texts("list").size(), 2U);
  EXPECT_TRUE(options.texts("absent").empty());
  EXPECT_TRUE(options.has("list"));
  EXPECT_FALSE(options.has("absent"));
}

TEST(DriverTable, NamesEachDriverOnceAndCanOpenIt) {
  std::set<std::string_view> names;
  for (const Driver& driver : driver_table()) {
    EXPECT_TRUE(names.insert(driver.name).second) << driver.name << " twice";
    EXPECT_FALSE(driver.summary.empty()) << driver.name;
    EXPECT_FALSE(driver.room.empty()) << driver.name;
    EXPECT_NE(driver.open, nullptr) << driver.name;
    EXPECT_EQ(find_driver(driver.name), &driver);
  }
  EXPECT_EQ(find_driver("no_such_driver"), nullptr);
}

}  // namespace
}  // namespace fieldpost
