// SPDX-License-Identifier: Apache-2.0
// The printed reference holds every key of every section.
#include <gtest/gtest.h>

#include <string>

#include "agent/configuration/configuration.hpp"
#include "agent/configuration/declaration.hpp"

namespace fieldpost {
namespace {

TEST(Explain, ListsEveryKeyOfEverySectionAndDriver) {
  const std::string text = explain_configuration(driver_table());
  for (const SectionDeclaration* section : section_table()) {
    EXPECT_NE(text.find(std::string{section->title} + "  "), std::string::npos) << section->title;
    for (const KeyDeclaration& key : section->keys) {
      EXPECT_NE(text.find("\n  " + std::string{key.key} + "  ("), std::string::npos) << key.key;
    }
  }
  for (const Driver& driver : driver_table()) {
    for (const OptionDeclaration& option : driver.options) {
      EXPECT_NE(text.find("\n  " + std::string{option.key} + "  ("), std::string::npos)
          << driver.name << "." << option.key;
    }
  }
}

TEST(Explain, ShowsTypeDefaultAndHelp) {
  const std::string text = explain_configuration({});
  EXPECT_NE(text.find("  interval  (duration, default 10s)\n      how often sources are read"),
            std::string::npos);
  EXPECT_NE(text.find("  url  (text, required)\n"), std::string::npos);
}

}  // namespace
}  // namespace fieldpost
