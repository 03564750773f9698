// SPDX-License-Identifier: Apache-2.0
#include "agent/link/name_service.hpp"

#include <gtest/gtest.h>

#include "agent/link/name_resolver.hpp"

namespace fieldpost {
namespace {

TEST(NameService, StillKnowsTheHostsFile) {
  configure_name_service();
  const auto addresses = NameResolver::system_look_up()("localhost");
  ASSERT_TRUE(addresses) << addresses.error().sentence();
  EXPECT_FALSE(addresses->empty());
}

}  // namespace
}  // namespace fieldpost
