// SPDX-License-Identifier: Apache-2.0
#include "agent/link/credential_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <array>
#include <cstring>
#include <fstream>

#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

struct CredentialFileTest : testing::Test {
  std::string put(const std::string& name, const std::string& text, mode_t mode) {
    const auto path = directory.file(name);
    std::ofstream{path} << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  TemporaryDirectory directory;
};

TEST_F(CredentialFileTest, ReadsASecretThatOnlyItsOwnerCanRead) {
  for (const mode_t mode : {0600U, 0400U}) {
    const auto path = put("key" + std::to_string(mode), "-----BEGIN X", mode);
    const auto file = CredentialFile::read("key_file", path, CredentialFile::Kind::secret);
    ASSERT_TRUE(file) << file.error().sentence();
    EXPECT_EQ(file->size_for_parser(), 13U);  // PEM counts its NUL
    EXPECT_EQ(std::memcmp(file->bytes(), "-----BEGIN X", 13), 0);
  }
}

/// As if somebody else than root had made it: root's files may be readable by a group.
void give_away(const std::string& path) {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() == 0) {
    ASSERT_EQ(::chown(path.c_str(), kNobody, kNobody), 0);
  }
}

TEST_F(CredentialFileTest, RefusesASecretThatOthersCanRead) {
  for (const mode_t mode : {0640U, 0604U, 0644U, 0660U, 0601U, 0610U}) {
    const auto path = put("key" + std::to_string(mode), "x", mode);
    give_away(path);
    const auto file = CredentialFile::read("key_file", path, CredentialFile::Kind::secret);
    ASSERT_FALSE(file) << std::oct << mode;
    EXPECT_EQ(file.error().kind(), ErrorKind::Denied);
    EXPECT_NE(file.error().sentence().find("chmod 600 " + path), std::string::npos);
    EXPECT_TRUE(CredentialFile::read("ca_file", path, CredentialFile::Kind::open_to_all));
  }
}

TEST_F(CredentialFileTest, TakesWhatRootHandsToAServicesGroup) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root makes a file of root's";
  EXPECT_TRUE(CredentialFile::read("key_file", put("package", "x", 0640), CredentialFile::Kind::secret));
  for (const mode_t mode : {0660U, 0644U, 0650U}) {
    EXPECT_FALSE(CredentialFile::read("key_file", put("package" + std::to_string(mode), "x", mode), CredentialFile::Kind::secret));
  }
}

TEST_F(CredentialFileTest, TakesTheGroupBitsOfAListForWhatTheyAre) {
  // Mode 0440 with the list systemd puts on credentials: user:: r, user:1234: r, group:: none, mask r.
  const auto path = put("credential", "x", 0400);
  give_away(path);
  const auto entry = [](unsigned tag, unsigned rights, std::uint32_t id) {
    std::array<unsigned char, 8> bytes{static_cast<unsigned char>(tag), 0, static_cast<unsigned char>(rights), 0};
    for (std::size_t i = 0; i < 4; ++i) bytes[4 + i] = static_cast<unsigned char>(id >> (8 * i));
    return std::string{bytes.begin(), bytes.end()};
  };
  constexpr std::uint32_t kNobody = 0xFFFFFFFF;
  const auto list = [&](unsigned group_rights) {
    return std::string{"\2\0\0\0", 4} + entry(0x01, 4, kNobody) + entry(0x02, 4, 1234) + entry(0x04, group_rights, kNobody) +
           entry(0x10, 4, kNobody) + entry(0x20, 0, kNobody);
  };
  const auto closed = list(0);
  if (::setxattr(path.c_str(), "system.posix_acl_access", closed.data(), closed.size(), 0) != 0) {
    GTEST_SKIP() << "this file system has no access control lists";
  }
  struct stat about {};
  ::stat(path.c_str(), &about);
  ASSERT_EQ(about.st_mode & 0777U, 0440U);
  EXPECT_TRUE(CredentialFile::read("key_file", path, CredentialFile::Kind::secret));
  const auto open = list(4);
  ASSERT_EQ(::setxattr(path.c_str(), "system.posix_acl_access", open.data(), open.size(), 0), 0);
  EXPECT_FALSE(CredentialFile::read("key_file", path, CredentialFile::Kind::secret));
}

TEST_F(CredentialFileTest, BoundsTheSize) {
  const std::string most(CredentialFile::kBytesMax, 'x');
  EXPECT_TRUE(CredentialFile::read("ca_file", put("most", most, 0600), CredentialFile::Kind::open_to_all));
  EXPECT_FALSE(CredentialFile::read("ca_file", put("more", most + "x", 0600), CredentialFile::Kind::open_to_all));
  EXPECT_FALSE(CredentialFile::read("ca_file", put("none", "", 0600), CredentialFile::Kind::open_to_all));
}

TEST_F(CredentialFileTest, NamesTheOptionWhenTheFileIsNotThere) {
  const auto file = CredentialFile::read("crl_file", directory.file("absent"), CredentialFile::Kind::open_to_all);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind(), ErrorKind::NotPresent);
  EXPECT_EQ(file.error().sentence().rfind("crl_file: ", 0), 0U);
  EXPECT_FALSE(CredentialFile::read("ca_file", directory.path(), CredentialFile::Kind::open_to_all));
}

TEST_F(CredentialFileTest, TheStampChangesWhenTheFileIsReplaced) {
  const auto path = put("a", "one", 0600);
  const auto before = file_stamp(path);
  EXPECT_EQ(file_stamp(path), before);
  put("b", "two", 0600);
  ASSERT_EQ(::rename(directory.file("b").c_str(), path.c_str()), 0);
  EXPECT_NE(file_stamp(path), before);
  EXPECT_EQ(file_stamp(directory.file("absent")), "");
}

}  // namespace
}  // namespace fieldpost
