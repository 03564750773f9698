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

TEST(IdentityOptions, ParametersAreAListOfPairs) {
  EXPECT_EQ(*template_parameters("SerialNumber=1,Model=B=C"), (TemplateParameters{{"SerialNumber", "1"}, {"Model", "B=C"}}));
  EXPECT_TRUE(template_parameters("")->empty());
  for (const char* wrong : {"oops", "=1", "a=1,b"}) EXPECT_FALSE(template_parameters(wrong)) << wrong;
}

TEST(IdentityOptions, AnEstServerIsSpokenToOverTlsOnly) {
  EXPECT_TRUE(check_est_url("https://ca.example/est/line-2"));
  for (const char* wrong : {"http://ca.example", "ca.example", "https://", "https://u:p@ca.example", "https://ca.example/a b"}) EXPECT_FALSE(check_est_url(wrong)) << wrong;
}

}  // namespace
}  // namespace fieldpost
