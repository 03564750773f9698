// SPDX-License-Identifier: Apache-2.0
#include "agent/sync/kept_text.hpp"

#include <gtest/gtest.h>

#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

class KeptTextTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
};

TEST_F(KeptTextTest, OutlivesTheProcess) {
  const std::string file = directory_.file("number");
  KeptText first{loop_, log_.log(), file};
  EXPECT_EQ(first.read(), "");
  EXPECT_TRUE(first.keep("7"));
  first.stop();
  EXPECT_EQ((KeptText{loop_, log_.log(), file}.read()), "7");
}

TEST_F(KeptTextTest, KeepsNothingWithoutAFile) {
  KeptText none{loop_, log_.log(), ""};
  EXPECT_TRUE(none.keep("7"));
  none.stop();
  EXPECT_EQ(none.read(), "");
}

TEST_F(KeptTextTest, GoesOnWhereItCannotBeWritten) {
  KeptText kept{loop_, log_.log(), directory_.file("absent/number")};
  EXPECT_TRUE(kept.keep("7"));
  kept.stop();
  EXPECT_EQ(kept.read(), "");
}

}  // namespace
}  // namespace fieldpost
