// SPDX-License-Identifier: Apache-2.0
#include "agent/link/credential_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "platform/file_descriptor.hpp"

namespace fieldpost {

namespace {

std::string octal(mode_t mode) {
  std::string digits = "0";
  for (unsigned shift = 9; shift > 0; shift -= 3) digits.push_back(static_cast<char>('0' + ((mode >> (shift - 3)) & 7U)));
  return digits;
}

/// With an access control list the group bits of the mode are the list's mask, not the group's
/// right. systemd hands out credentials just so: mode 0440, an entry for the service's user, and
/// nothing for the group. (Layout: linux/posix_acl_xattr.h, little-endian.)
bool list_denies_group(int descriptor) {
  constexpr std::size_t kHeader = 4;
  constexpr std::size_t kEntry = 8;
  constexpr unsigned kTagOwningGroup = 0x04;
  constexpr unsigned kTagNamedGroup = 0x08;
  std::array<unsigned char, kHeader + 32 * kEntry> list{};
  const auto length = fgetxattr(descriptor, "system.posix_acl_access", list.data(), list.size());
  if (length < static_cast<ssize_t>(kHeader)) return false;
  for (std::size_t at = kHeader; at + kEntry <= static_cast<std::size_t>(length); at += kEntry) {
    const unsigned tag = list[at] | static_cast<unsigned>(list[at + 1]) << 8U;
    const unsigned rights = list[at + 2] | static_cast<unsigned>(list[at + 3]) << 8U;
    if ((tag == kTagOwningGroup || tag == kTagNamedGroup) && rights != 0) return false;
  }
  return true;
}

void wipe(std::string& text) { explicit_bzero(text.data(), text.size()); }

}  // namespace

CredentialFile::~CredentialFile() { wipe(text_); }

Result<CredentialFile> CredentialFile::read(std::string_view option, const std::string& path, Kind kind) {
  const auto told = [&](std::string sentence) { return std::string{option} + ": " + path + " " + std::move(sentence); };
  FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file) return errno_error("open " + path, errno).with_context(option);
  struct stat about {};
  if (fstat(file.get(), &about) < 0) return errno_error("stat " + path, errno).with_context(option);
  if (!S_ISREG(about.st_mode)) return Error{ErrorKind::Malformed, told("is not a regular file")};
  const bool others = (about.st_mode & (S_IRWXO)) != 0;
  // Root's own key that a service's group may read (root:fieldpost 0640) is how packages hand it over.
  const bool handed_over = about.st_uid == 0 && (about.st_mode & S_IRWXG) == S_IRGRP;
  const bool group = (about.st_mode & (S_IRWXG)) != 0 && !handed_over && !list_denies_group(file.get());
  if (kind == Kind::secret && (others || group)) {
    return Error{ErrorKind::Denied, told("is a private key that others can read (mode " + octal(about.st_mode & 0777U) +
                                         "); run: chmod 600 " + path)};
  }
  if (about.st_size <= 0) return Error{ErrorKind::Malformed, told("is empty")};
  if (static_cast<std::uint64_t>(about.st_size) > kBytesMax) {
    return Error{ErrorKind::Malformed, told("is larger than 4 MiB; it cannot be what this option wants")};
  }
  std::string text(static_cast<std::size_t>(about.st_size), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const auto count = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error_number = errno;
      wipe(text);
      return errno_error("read " + path, error_number).with_context(option);
    }
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  text.resize(filled);
  return CredentialFile{std::move(text)};
}

std::size_t CredentialFile::size_for_parser() const noexcept {
  return text_.find("-----BEGIN ") != std::string::npos ? text_.size() + 1 : text_.size();
}

std::string file_stamp(const std::string& path) {
  struct stat about {};
  if (path.empty() || ::stat(path.c_str(), &about) < 0) return {};
  return std::to_string(about.st_dev) + ' ' + std::to_string(about.st_ino) + ' ' + std::to_string(about.st_size) + ' ' +
         std::to_string(about.st_mtim.tv_sec) + '.' + std::to_string(about.st_mtim.tv_nsec);
}

}  // namespace fieldpost
