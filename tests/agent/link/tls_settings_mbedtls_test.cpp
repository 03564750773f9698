// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/link/tls_settings.hpp"
#include "tests/agent/link/test_certificates_mbedtls.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

struct TlsSettingsTest : testing::Test {
  TlsSettingsTest() {
    const auto own = make_test_certificate({});
    directory.write("ca.pem", own.certificate);
    directory.write("own.pem", own.certificate);
    directory.write("own.key", own.key);
    ::chmod(directory.file("own.key").c_str(), 0600);
    options.ca_file = directory.file("ca.pem");
    options.certificate_file = directory.file("own.pem");
    options.key_file = directory.file("own.key");
  }
  std::string loaded() {
    const auto settings = TlsSettings::load(options);
    return settings ? "loaded" : settings.error().sentence();
  }
  TemporaryDirectory directory;
  LinkOptions options;
};

TEST_F(TlsSettingsTest, LoadsWhatBelongsTogether) { EXPECT_EQ(loaded(), "loaded"); }

TEST_F(TlsSettingsTest, NamesTheOptionThatIsWrong) {
  options.key_file.clear();
  EXPECT_EQ(loaded(), "certificate_file and key_file belong together; one of them is not set");
  options.key_file = directory.file("own.key");
  options.tls_min = LinkOptions::TlsVersion::v1_3;
  options.tls_max = LinkOptions::TlsVersion::v1_2;
  EXPECT_EQ(loaded(), "tls_min is above tls_max; swap them");
  options.tls_min = LinkOptions::TlsVersion::v1_2;
  options.alpn = {""};
  EXPECT_EQ(loaded(), "alpn: a protocol's name is empty or longer than 255 characters");
  options.alpn = std::vector<std::string>(9, "mqtt");
  EXPECT_EQ(loaded(), "alpn: more than 8 protocols");
  options.alpn = std::vector<std::string>(8, "mqtt");
  EXPECT_EQ(loaded(), "loaded");
}

TEST_F(TlsSettingsTest, RefusesAKeyOfAnotherCertificate) {
  directory.write("own.key", make_test_certificate({}).key);
  EXPECT_NE(loaded().find("is not the key of the first certificate in"), std::string::npos);
}

TEST_F(TlsSettingsTest, SeesThatAFileWasReplaced) {
  const auto settings = TlsSettings::load(options);
  ASSERT_TRUE(settings);
  EXPECT_FALSE((*settings)->changed_on_disk());
  directory.write("new.pem", make_test_certificate({}).certificate);
  ASSERT_EQ(::rename(directory.file("new.pem").c_str(), directory.file("ca.pem").c_str()), 0);
  EXPECT_TRUE((*settings)->changed_on_disk());
}

TEST_F(TlsSettingsTest, SurvivesAFileOfRubbish) {
  for (const std::string rubbish : {"x", "-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    directory.write("ca.pem", rubbish);
    EXPECT_EQ(loaded().rfind("ca_file: ", 0), 0U) << rubbish;
  }
}

}  // namespace
}  // namespace fieldpost
