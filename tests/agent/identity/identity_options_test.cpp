// SPDX-License-Identifier: Apache-2.0
#include "agent/identity/identity_options.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(KeyKind, IsKnownByTheNamesThatAreOffered) {
  EXPECT_EQ(key_kind("p256"), KeyKind::p256);
  EXPECT_EQ(key_kind("p384"), KeyKind::p384);
  EXPECT_EQ(key_kind("rsa2048"), KeyKind::rsa2048);
  EXPECT_EQ(key_kind("rsa"), std::nullopt);
  EXPECT_EQ(kKeyKinds, "p256|p384|rsa2048");
}

}  // namespace
}  // namespace fieldpost
