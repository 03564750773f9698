// SPDX-License-Identifier: Apache-2.0
// See identity_directory.hpp. Each step leaves a state that the same step, done again, takes further.
#include "agent/identity/identity_directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <vector>

#include "platform/durable_file.hpp"
#include "platform/file_descriptor.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kChainBytesMax = 64U << 10U;
constexpr std::string_view kCurrent = "current";

bool is_there(const std::string& path) {
  struct stat about {};
  return ::lstat(path.c_str(), &about) == 0;
}

std::optional<unsigned> number_of(std::string_view name) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size() || number == 0 || name[0] == '0') return std::nullopt;
  return number;
}

/// Numbers of the generations in `path`, ascending.
/// Errors: Io, Denied
Result<std::vector<unsigned>> numbers_in(const std::string& path) {
  std::vector<unsigned> numbers;
  const std::unique_ptr<DIR, int (*)(DIR*)> opened{::opendir(path.c_str()), &::closedir};
  if (!opened) {
    if (errno == ENOENT) return numbers;
    return errno_error("open " + path, errno);
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
  while (const dirent* entry = ::readdir(opened.get())) {
    if (const auto number = number_of(static_cast<const char*>(entry->d_name))) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

/// Errors: Malformed, Io
Result<std::optional<unsigned>> current_number(const std::string& path) {
  const std::string link = path + "/" + std::string{kCurrent};
  std::array<char, 32> target{};
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  if (length < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<unsigned>{};
    return errno_error("read the link " + link, errno);
  }
  const auto number = number_of({target.data(), static_cast<std::size_t>(length)});
  if (!number) return Error{ErrorKind::Malformed, link + " leads to no generation"};
  return number;
}

/// Nobody else changes the directory meanwhile. Each step looks again under it: what was seen before may be over.
/// Errors: as opening a directory
class Lock {
 public:
  static Result<Lock> take(const std::string& path) {
    FileDescriptor directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory) return errno_error("open " + path, errno);
    while (::flock(directory.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return errno_error("lock " + path, errno);
    }
    return Lock{std::move(directory)};
  }

 private:
  explicit Lock(FileDescriptor directory) : directory_{std::move(directory)} {}
  FileDescriptor directory_;
};

Result<void> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return errno_error("make " + path, errno);
  return sync_directory_of(path);
}

}  // namespace

std::string identity_directory(const std::string& state_directory) { return state_directory + "/identity"; }
std::string current_certificate_file(const std::string& directory) { return directory + "/current/certificate.pem"; }

void use_identity(const std::string& directory, LinkOptions& options) {
  if (!options.certificate_file.empty() || !options.key_file.empty()) return;
  const std::string certificate = current_certificate_file(directory);
  if (!is_there(certificate)) return;
  options.certificate_file = certificate;
  options.key_file = directory + "/current/key.pem";
}

Result<IdentityDirectory> IdentityDirectory::open(std::string path) {
  IdentityDirectory identity{std::move(path)};
  TRY(identity.look());
  return identity;
}

IdentityDirectory::Generation IdentityDirectory::generation(unsigned number) const {
  const std::string place = path_ + "/" + std::to_string(number) + "/";
  return {number, place + "key.pem", place + "request.pem", place + "certificate.pem", is_there(place + "certificate.pem")};
}

Result<void> IdentityDirectory::look() {
  const auto numbers = TRY(numbers_in(path_));
  const auto in_use = current_number(path_);
  current_.reset();
  pending_.reset();
  fault_.clear();
  const unsigned used_number = in_use ? in_use->value_or(0) : 0;
  next_ = std::max(used_number + 1, numbers.empty() ? 0 : numbers.back());
  if (!in_use) {
    fault_ = in_use.error().sentence();
  } else if (*in_use) {
    Generation used = generation(**in_use);
    if (used.has_certificate && is_there(used.key_file)) {
      current_ = std::move(used);
    } else {
      fault_ = path_ + "/current leads to a generation without a key or a certificate";
    }
  }
  // Without its key a generation is nothing: its making was cut off.
  Generation next = generation(next_);
  if (is_there(next.key_file)) pending_ = std::move(next);
  return {};
}

Result<void> IdentityDirectory::request(KeyKind kind, const std::string& subject) {
  TRY(make_directory(path_));
  const auto lock = TRY(Lock::take(path_));
  TRY(look());
  if (pending_ && pending_->has_certificate) {
    return Error{ErrorKind::Full, "a renewed certificate is there and not yet in use; take it into use or discard it first"};
  }
  const Generation next = generation(next_);
  TRY(make_directory(path_ + "/" + std::to_string(next.number)));
  auto key = pending_ ? DeviceKey::read(next.key_file) : DeviceKey::generate(kind);
  if (!key) return std::move(key).error();
  const std::string request = TRY(key->signing_request(subject));
  if (!pending_) TRY(key->write(next.key_file));
  pending_ = next;
  // Signed anew it would be another text, and an answer that is on its way would not be known as its own.
  const auto present = read_file(next.request_file, kChainBytesMax);
  if (present && same_request(*present, request)) return {};
  return replace_file_durably(next.request_file, request, 0644);
}

Result<void> IdentityDirectory::install(const std::string& chain_pem, UtcTime now) {
  if (!pending_) return Error{ErrorKind::NotPresent, "no certificate was asked for; make a request first"};
  const auto lock = TRY(Lock::take(path_));
  TRY(look());
  if (!pending_) return Error{ErrorKind::NotPresent, "what was asked for has been discarded meanwhile"};
  if (chain_pem.size() > kChainBytesMax) return Error{ErrorKind::Malformed, "the chain is larger than 64 KiB"};
  const auto key = TRY(DeviceKey::read(pending_->key_file));
  const auto certificate = TRY(DeviceCertificate::parse(chain_pem));
  TRY(check_belongs(chain_pem, key));
  if (age_of(certificate, now) == CertificateAge::expired) {
    return Error{ErrorKind::Denied, "the certificate expired at " + to_rfc3339(certificate.not_after)};
  }
  TRY(replace_file_durably(pending_->certificate_file, chain_pem, 0644));
  pending_->has_certificate = true;
  return {};
}

Result<void> IdentityDirectory::adopt() {
  const auto lock = TRY(Lock::take(path_));
  TRY(look());
  if (!pending_ || !pending_->has_certificate) {
    return Error{ErrorKind::NotPresent, "there is no renewed certificate to take into use"};
  }
  const std::string link = path_ + "/" + std::string{kCurrent};
  const std::string next = link + ".new";
  if (::unlink(next.c_str()) != 0 && errno != ENOENT) return errno_error("remove " + next, errno);
  if (::symlink(std::to_string(pending_->number).c_str(), next.c_str()) != 0) return errno_error("make " + next, errno);
  if (::rename(next.c_str(), link.c_str()) != 0) return errno_error("rename " + next, errno);
  TRY(sync_directory_of(link));
  current_ = std::move(pending_);
  pending_.reset();
  for (const unsigned number : TRY(numbers_in(path_))) {
    if (number != current_->number) TRY(remove(number));
  }
  return {};
}

Result<void> IdentityDirectory::discard() {
  if (!pending_) return Error{ErrorKind::NotPresent, "there is nothing to discard"};
  const auto lock = TRY(Lock::take(path_));
  TRY(look());
  if (!pending_) return {};
  const unsigned number = pending_->number;
  pending_.reset();
  return remove(number);
}

Result<void> IdentityDirectory::remove(unsigned number) {
  const Generation old = generation(number);
  // The key last: what has a key is still a generation to a look in between.
  for (const std::string& file : {old.certificate_file, old.request_file, old.key_file}) {
    TRY(remove_file_durably(file + ".new"));  // of a replacement that was cut off
    TRY(remove_file_durably(file));
  }
  const std::string place = path_ + "/" + std::to_string(number);
  if (::rmdir(place.c_str()) != 0 && errno != ENOENT) return errno_error("remove " + place, errno);
  return sync_directory_of(place);
}

}  // namespace fieldpost
