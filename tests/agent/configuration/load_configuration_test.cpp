// SPDX-License-Identifier: Apache-2.0
// Real files: the main one, what lies beside it, and the certificates and secrets that they name.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "agent/configuration/configuration.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

using Lines = std::vector<std::string>;

Lines errors_of(const ConfigurationResult& result) {
  Lines lines;
  for (const Problem& problem : result.problems) {
    if (problem.severity == Problem::Severity::error) lines.push_back(to_text(problem));
  }
  return lines;
}

TEST(LoadConfiguration, SaysWhenThereIsNoFile) {
  const ConfigurationResult result = load_configuration("/nowhere/f.toml", driver_table());
  ASSERT_EQ(result.errors, 1U);
  EXPECT_EQ(to_text(result.problems[0]), "/nowhere/f.toml: no such file; say where it is with --config FILE");
}

TEST(LoadConfiguration, SaysWhenTheFileIsADirectory) {
  const TemporaryDirectory directory;
  EXPECT_FALSE(load_configuration(directory.path(), driver_table()).ok());
}

TEST(LoadConfiguration, RefusesAMissingCertificateAndAReadableKey) {
  const TemporaryDirectory directory;
  directory.write("device.key", "x");
  ASSERT_EQ(::chmod(directory.file("device.key").c_str(), 0644), 0);
  directory.write("f.toml",
                  "[broker]\nurl = \"mqtts://b\"\ncertificate_file = \"device.pem\"\n"
                  "key_file = \"device.key\"\n");
  const ConfigurationResult result = load_configuration(directory.file("f.toml"), driver_table());
  ASSERT_EQ(result.problems.size(), 2U);
  EXPECT_EQ(to_text(result.problems[0]), directory.file("f.toml") +
                                             ":3: \"certificate_file\" in [broker] names " +
                                             directory.file("device.pem") + ", which does not exist");
  EXPECT_EQ(to_text(result.problems[1]), directory.file("f.toml") + ":4: \"key_file\" in [broker] names " +
                                             directory.file("device.key") +
                                             ", which others can read (mode 0644); chmod 600 it");
}

TEST(LoadConfiguration, ReadsPasswordsFromTheirFiles) {
  const TemporaryDirectory directory;
  directory.write("password", "s3cret\r\nmore\n");
  ASSERT_EQ(::chmod(directory.file("password").c_str(), 0600), 0);
  directory.write("f.toml",
                  "[broker]\nurl = \"mqtts://b\"\nusername = \"u\"\npassword_file = \"password\"\n");
  const ConfigurationResult result = load_configuration(directory.file("f.toml"), driver_table());
  ASSERT_TRUE(result.ok()) << to_text(result.problems.front());
  EXPECT_EQ(result.configuration.link.password, "s3cret");
}

TEST(LoadConfiguration, LaysConfDOverTheFileInTheOrderOfNames) {
  const TemporaryDirectory directory;
  directory.write("f.toml", "[device]\nname = \"base\"\n[sampling]\ninterval = \"1s\"\n");
  directory.write("conf.d/20-b.toml", "[device]\nname = \"second\"\n");
  directory.write("conf.d/10-a.toml", "[device]\nname = \"first\"\n[self]\nenabled = false\n");
  directory.write("conf.d/30-c.toml.dpkg-old", "not TOML");
  directory.write("conf.d/.hidden.toml", "not TOML");
  const ConfigurationResult result = load_configuration(directory.file("f.toml"), driver_table());
  EXPECT_EQ(errors_of(result), Lines{});
  EXPECT_EQ(result.configuration.device_name, "second");
  EXPECT_FALSE(result.configuration.self_enabled);
  EXPECT_EQ(result.files, (Lines{directory.file("f.toml"), directory.file("conf.d/10-a.toml"),
                                 directory.file("conf.d/20-b.toml")}));
}

TEST(LoadConfiguration, ReportsADropInThatCannotBeRead) {
  const TemporaryDirectory directory;
  directory.write("f.toml", "[log]\nlevel = 3\n");
  directory.write("conf.d/10-a.toml/x", "");
  const Lines lines = errors_of(load_configuration(directory.file("f.toml"), driver_table()));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].starts_with(directory.file("conf.d/10-a.toml") + ": ")) << lines[0];
}

TEST(LoadConfiguration, TakesAHundredDropInsAndNotOneMore) {
  const TemporaryDirectory directory;
  directory.write("f.toml", "");
  for (int i = 0; i < 100; ++i) directory.write("conf.d/" + std::to_string(i) + ".toml", "");
  EXPECT_TRUE(load_configuration(directory.file("f.toml"), driver_table()).ok());
  directory.write("conf.d/100.toml", "");
  EXPECT_EQ(errors_of(load_configuration(directory.file("f.toml"), driver_table())),
            Lines{directory.file("conf.d") + ": more than 100 files"});
}

TEST(LoadConfiguration, StartsRelativePathsBesideTheMainFileAlsoInDropIns) {
  const TemporaryDirectory directory;
  directory.write("ca.pem", "x");
  directory.write("f.toml", "[broker]\nurl = \"mqtts://b\"\nusername = \"u\"\n");
  directory.write("conf.d/10-a.toml", "[broker]\nca_file = \"ca.pem\"\n");
  const ConfigurationResult result = load_configuration(directory.file("f.toml"), driver_table());
  EXPECT_EQ(errors_of(result), Lines{});
  EXPECT_EQ(result.configuration.link.ca_file, directory.file("ca.pem"));
}

TEST(LoadConfiguration, LaysTheEnvironmentOverAll) {
  const TemporaryDirectory directory;
  directory.write("f.toml", "[device]\nname = \"base\"\n");
  ASSERT_EQ(::setenv("FIELDPOST_DEVICE_NAME", "from-outside", 1), 0);
  const ConfigurationResult result = load_configuration(directory.file("f.toml"), driver_table());
  ::unsetenv("FIELDPOST_DEVICE_NAME");
  EXPECT_EQ(result.configuration.device_name, "from-outside");
  EXPECT_EQ(result.files, (Lines{directory.file("f.toml"), "environment variable FIELDPOST_DEVICE_NAME"}));
}

}  // namespace
}  // namespace fieldpost
