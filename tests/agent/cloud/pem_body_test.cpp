// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/pem_body.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(PemBody, IsOneLineAndComesBackInLinesOf64) {
  const std::string body(100, 'A');
  const std::string pem = certificate_pem(body);
  EXPECT_EQ(pem, "-----BEGIN CERTIFICATE-----\n" + std::string(64, 'A') + "\n" + std::string(36, 'A') + "\n-----END CERTIFICATE-----\n");
  EXPECT_EQ(pem_body(pem), body);
}

TEST(PemBody, OfSomethingElseIsEmpty) {
  for (const char* text : {"", "x", "-----END", "a\nb", "-----END\n"}) EXPECT_EQ(pem_body(text), "") << text;
}

}  // namespace
}  // namespace fieldpost
