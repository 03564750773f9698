// SPDX-License-Identifier: Apache-2.0
#include "agent/jobs/job_table.hpp"

#include <gtest/gtest.h>

#include <set>

namespace fieldpost {
namespace {

TEST(JobTable, HasEachNameOnceAndTakesDocumentsWithoutOneForCommands) {
  std::set<std::string_view> names;
  for (const JobKind& kind : job_table()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_NE(kind.make, nullptr);
  }
  EXPECT_EQ(job_table().front().name, "command.run");
}

}  // namespace
}  // namespace fieldpost
