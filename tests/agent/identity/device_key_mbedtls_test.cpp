// SPDX-License-Identifier: Apache-2.0
#include "agent/identity/device_key.hpp"

#include <gtest/gtest.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_csr.h>
#include <sys/stat.h>

#include <array>

#include "agent/identity/key_mbedtls.hpp"
#include "agent/link/tls_mbedtls.hpp"
#include "platform/durable_file.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

struct Request : mbedtls_x509_csr {
  explicit Request(const std::string& pem) {
    mbedtls_x509_csr_init(this);
    code = mbedtls_x509_csr_parse(this, reinterpret_cast<const unsigned char*>(pem.c_str()), pem.size() + 1);
  }
  ~Request() { mbedtls_x509_csr_free(this); }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  std::string name() const {
    std::array<char, 256> text{};
    mbedtls_x509_dn_gets(text.data(), text.size(), &subject);
    return text.data();
  }
  int code = 0;
};

TEST(DeviceKey, IsWrittenForItsOwnerOnlyAndReadBack) {
  const TemporaryDirectory directory;
  for (const auto kind : {KeyKind::p256, KeyKind::p384, KeyKind::rsa2048}) {
    const auto key = DeviceKey::generate(kind);
    ASSERT_TRUE(key) << key.error().sentence();
    const std::string path = directory.file("key.pem");
    ASSERT_TRUE(key->write(path));
    struct stat about {};
    ASSERT_EQ(::stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777U, 0600U);
    const auto again = DeviceKey::read(path);
    ASSERT_TRUE(again) << again.error().sentence();
    EXPECT_EQ(key->signing_request("CN=x")->substr(0, 30), again->signing_request("CN=x")->substr(0, 30));
    const auto* one = &key->kept().key;
    const auto* other = &again->kept().key;
    EXPECT_EQ(mbedtls_pk_get_bitlen(one), mbedtls_pk_get_bitlen(other));
  }
}

TEST(DeviceKey, TwoAreNeverTheSame) {
  const TemporaryDirectory directory;
  std::array<std::string, 2> texts;
  for (std::string& text : texts) {
    ASSERT_TRUE(DeviceKey::generate(KeyKind::p256)->write(directory.file("key")));
    text = *read_file(directory.file("key"), 4096);
  }
  EXPECT_NE(texts[0], texts[1]);
}

TEST(DeviceKey, AsksForASubjectWithItsPublicHalf) {
  const auto key = DeviceKey::generate(KeyKind::p256);
  const auto pem = key->signing_request("CN=gateway-1,O=Acme,C=DE");
  ASSERT_TRUE(pem) << pem.error().sentence();
  const Request request{*pem};
  ASSERT_EQ(request.code, 0);
  EXPECT_EQ(request.name(), "CN=gateway-1, O=Acme, C=DE");
  EXPECT_EQ(mbedtls_pk_check_pair(&request.pk, &key->kept().key, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE), 0);
  EXPECT_EQ(pem->find("PRIVATE"), std::string::npos);
}

TEST(DeviceKey, KnowsWhetherTwoRequestsAskForTheSame) {
  const auto key = DeviceKey::generate(KeyKind::p256);
  const std::string one = *key->signing_request("CN=gw-1");
  EXPECT_TRUE(same_request(one, *key->signing_request("CN=gw-1")));
  EXPECT_FALSE(same_request(one, *key->signing_request("CN=gw-2")));
  EXPECT_FALSE(same_request(one, *DeviceKey::generate(KeyKind::p256)->signing_request("CN=gw-1")));
  EXPECT_FALSE(same_request("", ""));
  EXPECT_FALSE(same_request(one, one.substr(0, 100)));
}

TEST(DeviceKey, RefusesWhatIsNoSubject) {
  const auto key = DeviceKey::generate(KeyKind::p256);
  for (const char* subject : {"", "gateway", "CN", "XX=1", "CN=a,="}) {
    const auto request = key->signing_request(subject);
    ASSERT_FALSE(request) << subject;
    EXPECT_EQ(request.error().kind(), ErrorKind::OutOfRange);
  }
}

TEST(DeviceKey, RefusesOneThatOthersCanReadAndWhatIsNone) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("key.pem");
  ASSERT_TRUE(DeviceKey::generate(KeyKind::p256)->write(path));
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  EXPECT_EQ(DeviceKey::read(path).error().kind(), ErrorKind::Denied);
  ASSERT_TRUE(replace_file_durably(path, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", 0600));
  EXPECT_EQ(DeviceKey::read(path).error().kind(), ErrorKind::Malformed);
  EXPECT_EQ(DeviceKey::read(directory.file("none")).error().kind(), ErrorKind::NotPresent);
}

}  // namespace
}  // namespace fieldpost
