// SPDX-License-Identifier: Apache-2.0
#include "hal/event.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(Severity, IsSpelledAsMessagesSpellIt) {
  EXPECT_EQ(to_string(Severity::info), "info");
  EXPECT_EQ(to_string(Severity::warn), "warn");
  EXPECT_EQ(to_string(Severity::critical), "critical");
  EXPECT_EQ(to_string(Severity::resolved), "resolved");
}

}  // namespace
}  // namespace fieldpost
