// SPDX-License-Identifier: Apache-2.0
// The calls of libc that SQLite's Unix layer and our durable files make, for one flat directory.
#include "tests/support/crash_file_layer.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <optional>

namespace fieldpost {
namespace {

constexpr std::string_view kRoot = "/crash";
constexpr std::string_view kInside = "/crash/state/";
/// Descriptors of ours begin here; the kernel's never come near.
constexpr int kFirstDescriptor = 1 << 20;
constexpr dev_t kDevice = 0xC4A5;
constexpr std::size_t kBlockBytes = 4096;
constexpr std::uint64_t kDiskBlocks = 1 << 20;

struct OpenFile {
  std::uint64_t mount = 0;  ///< 0: free
  CrashDisk::Inode inode = CrashDisk::kNone;  ///< kNone: the directory
  std::size_t at = 0;
};

struct Layer {
  CrashDisk* disk = nullptr;
  std::uint64_t mount = 1;
  std::uint64_t newest_mount = 1;
  std::vector<OpenFile> files;
  std::mt19937_64 chance;
  std::vector<std::string> listing;
  std::size_t listed = 0;
  dirent entry{};
  std::uint64_t calls = 0;
  std::vector<CrashFileLayer::Call>* record = nullptr;
  CrashFileLayer::Fault fault;
  std::uint64_t fault_at = 0;  ///< the number of the call; 0: none fails
  CrashFileLayer::Call fault_in{};
};

Layer& layer() {
  static Layer the_one;
  return the_one;
}

int fail(int error_number) {
  errno = error_number;
  return -1;
}

using Call = CrashFileLayer::Call;

/// Each call passes here: 0, the error that it is to give, or kShort.
int enter(Call call) {
  Layer& now = layer();
  ++now.calls;
  if (now.record != nullptr) now.record->push_back(call);
  if (now.fault_at == 0 || now.calls < now.fault_at) return 0;
  if (now.calls == now.fault_at) now.fault_in = call;
  switch (now.fault.extent) {
    case CrashFileLayer::Fault::Extent::once: return now.calls == now.fault_at ? now.fault.error : 0;
    case CrashFileLayer::Fault::Extent::for_ever_of_its_kind: return call == now.fault_in ? now.fault.error : 0;
    case CrashFileLayer::Fault::Extent::for_ever: break;
  }
  const auto& may = CrashFileLayer::errors_of(call);
  return std::find(may.begin(), may.end(), now.fault.error) != may.end() ? now.fault.error : 0;
}

/// The name inside the directory; "" for the directory itself; nothing for the world outside.
std::optional<std::string_view> inside(const char* path) {
  const std::string_view text{path};
  if (!text.starts_with(kRoot)) return std::nullopt;
  if (text.starts_with(kInside)) return text.substr(kInside.size());
  return std::string_view{};
}

bool is_ours(int descriptor) { return descriptor >= kFirstDescriptor; }

/// Nothing for a descriptor of before the power went, or while it is off.
OpenFile* file_of(int descriptor) {
  const auto at = static_cast<std::size_t>(descriptor - kFirstDescriptor);
  if (at >= layer().files.size()) return nullptr;
  OpenFile& file = layer().files[at];
  return file.mount == layer().mount && layer().disk != nullptr && !layer().disk->is_off() ? &file : nullptr;
}

bool is_dead() { return layer().disk == nullptr || layer().disk->is_off(); }

int open_inside(std::string_view name, int flags) {
  if (const int error = enter(Call::open); error != 0) return fail(error);
  if (is_dead()) return fail(EIO);
  CrashDisk& disk = *layer().disk;
  CrashDisk::Inode inode = CrashDisk::kNone;
  if (!name.empty()) {
    inode = disk.find(name);
    if (inode != CrashDisk::kNone && (flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) return fail(EEXIST);
    if (inode == CrashDisk::kNone) {
      if ((flags & O_CREAT) == 0) return fail(ENOENT);
      if (!disk.create(name)) return fail(EIO);
      inode = disk.find(name);
    }
    if ((flags & O_TRUNC) != 0 && !disk.content(inode).empty() && !disk.resize(inode, 0)) return fail(EIO);
  }
  auto& files = layer().files;
  auto free = std::find_if(files.begin(), files.end(), [](const OpenFile& file) { return file.mount == 0; });
  if (free == files.end()) free = files.insert(files.end(), OpenFile{});
  *free = {.mount = layer().mount, .inode = inode, .at = 0};
  return kFirstDescriptor + static_cast<int>(free - files.begin());
}

ssize_t read_at(int descriptor, void* buffer, std::size_t count, std::size_t at) {
  const int error = enter(Call::read);
  if (error > 0) return fail(error);
  if (error == CrashFileLayer::kShort) count -= count / 2;
  const OpenFile* const file = file_of(descriptor);
  if (file == nullptr) return fail(EIO);
  const auto content = layer().disk->content(file->inode);
  if (!layer().disk->is_readable(file->inode, at, at + count)) return fail(EIO);
  if (at >= content.size()) return 0;
  const auto found = content.subspan(at, std::min(count, content.size() - at));
  std::memcpy(buffer, found.data(), found.size());
  return static_cast<ssize_t>(found.size());
}

ssize_t write_at(int descriptor, const void* buffer, std::size_t count, std::size_t at) {
  const int error = enter(Call::write);
  if (error > 0) return fail(error);
  if (error == CrashFileLayer::kShort) count -= count / 2;
  const OpenFile* const file = file_of(descriptor);
  if (file == nullptr) return fail(EIO);
  const std::span bytes{static_cast<const std::byte*>(buffer), count};
  return layer().disk->write(file->inode, at, bytes) ? static_cast<ssize_t>(count) : fail(EIO);
}

template <typename Stat>
int fill_stat(CrashDisk::Inode inode, Stat* into) {
  *into = Stat{};
  const std::size_t size = layer().disk->content(inode).size();
  into->st_dev = kDevice + layer().mount;  // files of another mount are other files
  into->st_ino = inode + 1;
  into->st_nlink = 1;
  into->st_mode = inode == CrashDisk::kNone ? (S_IFDIR | 0755U) : (S_IFREG | 0640U);
  into->st_size = static_cast<off_t>(size);
  into->st_blksize = static_cast<blksize_t>(kBlockBytes);
  into->st_blocks = static_cast<blkcnt_t>((size + 511) / 512);
  return 0;
}

template <typename Stat>
int stat_inside(std::string_view name, Stat* into) {
  if (const int error = enter(Call::stat); error != 0) return fail(error);
  if (is_dead()) return fail(EIO);
  const CrashDisk::Inode inode = name.empty() ? CrashDisk::kNone : layer().disk->find(name);
  if (!name.empty() && inode == CrashDisk::kNone) return fail(ENOENT);
  return fill_stat(inode, into);
}

template <typename Stat>
int stat_open(int descriptor, Stat* into) {
  if (const int error = enter(Call::stat); error != 0) return fail(error);
  const OpenFile* const file = file_of(descriptor);
  return file == nullptr ? fail(EIO) : fill_stat(file->inode, into);
}

int sync_open(int descriptor) {
  const int error = enter(Call::sync);
  const OpenFile* const file = file_of(descriptor);
  if (file == nullptr) return fail(EIO);
  if (error == EIO && file->inode != CrashDisk::kNone) layer().disk->lose_unsynced(file->inode);
  if (error != 0) return fail(error);
  const bool done = file->inode == CrashDisk::kNone ? layer().disk->sync_directory() : layer().disk->sync(file->inode);
  return done ? 0 : fail(EIO);
}

int resize_open(int descriptor, off_t size, Call call = Call::resize) {
  if (const int error = enter(call); error != 0) return fail(error);
  const OpenFile* const file = file_of(descriptor);
  if (file == nullptr) return fail(EIO);
  return layer().disk->resize(file->inode, static_cast<std::size_t>(size)) ? 0 : fail(EIO);
}

template <typename Statvfs>
int fill_statvfs(Statvfs* into) {
  if (const int error = enter(Call::space); error != 0) return fail(error);
  *into = Statvfs{};
  into->f_bsize = kBlockBytes;
  into->f_frsize = kBlockBytes;
  into->f_blocks = kDiskBlocks;
  into->f_bfree = kDiskBlocks;
  into->f_bavail = kDiskBlocks;
  return 0;
}

/// Locks are always to be had: there is one process.
int control_open(int command, struct flock* lock) {
  if (command == F_GETLK || command == F_SETLK || command == F_SETLKW) {
    if (const int error = enter(Call::lock); error != 0) return fail(error);
  }
  if (command == F_GETLK && lock != nullptr) lock->l_type = F_UNLCK;
  return 0;
}

}  // namespace

std::uint64_t CrashFileLayer::mount(CrashDisk* disk, std::uint64_t seed) {
  Layer& now = layer();
  resume(disk, ++now.newest_mount);
  now.chance.seed(seed);
  return now.mount;
}

void CrashFileLayer::resume(CrashDisk* disk, std::uint64_t mount) {
  layer().disk = disk;
  layer().mount = mount;
}

const std::vector<int>& CrashFileLayer::errors_of(Call call) {
  static const std::vector<int> open{EIO, ENOSPC, EDQUOT, EROFS, EACCES, EMFILE, ENFILE, ENOMEM, EINTR};
  static const std::vector<int> close{EIO, EINTR};
  static const std::vector<int> read{EIO, EINTR, ENOMEM, kShort};
  static const std::vector<int> write{EIO, ENOSPC, EDQUOT, EROFS, EINTR, ENOMEM, kShort};
  static const std::vector<int> sync{EIO, ENOSPC, EDQUOT, EROFS, EINTR};
  static const std::vector<int> resize{EIO, ENOSPC, EROFS, EINTR};
  static const std::vector<int> allocate{ENOSPC, EDQUOT, EIO, EINTR, EOPNOTSUPP};
  static const std::vector<int> lock{EACCES, EINTR, ENOLCK, EIO};
  static const std::vector<int> mode{EPERM, EIO, EROFS};
  static const std::vector<int> look{EIO, EACCES, ENOMEM};
  static const std::vector<int> space{EIO, EINTR, ENOMEM};
  static const std::vector<int> change{EIO, ENOSPC, EDQUOT, EROFS, EACCES, ENOMEM};
  static const std::vector<int> list{EIO, EACCES, EMFILE, ENFILE, ENOMEM};
  static const std::vector<int> random{EAGAIN, EINTR, ENOSYS};
  switch (call) {
    case Call::open: return open;
    case Call::close: return close;
    case Call::read: return read;
    case Call::write: return write;
    case Call::sync: return sync;
    case Call::resize: return resize;
    case Call::allocate: return allocate;
    case Call::lock: return lock;
    case Call::mode: return mode;
    case Call::stat:
    case Call::access: return look;
    case Call::space: return space;
    case Call::remove:
    case Call::rename:
    case Call::make_directory: return change;
    case Call::list: return list;
    case Call::random: break;
  }
  return random;
}

void CrashFileLayer::fail(const Fault& fault) {
  layer().fault = fault;
  layer().fault_at = layer().calls + fault.after + 1;
}

void CrashFileLayer::heal() { layer().fault_at = 0; }

std::uint64_t CrashFileLayer::calls() { return layer().calls; }

void CrashFileLayer::record(std::vector<Call>* into) { layer().record = into; }

}  // namespace fieldpost

// NOLINTBEGIN: names and signatures are the linker's and libc's
using namespace fieldpost;

extern "C" {

#define FIELDPOST_REAL(type, name, ...) type __real_##name(__VA_ARGS__)

FIELDPOST_REAL(int, open, const char*, int, ...);
FIELDPOST_REAL(int, open64, const char*, int, ...);
FIELDPOST_REAL(int, close, int);
FIELDPOST_REAL(ssize_t, read, int, void*, size_t);
FIELDPOST_REAL(ssize_t, write, int, const void*, size_t);
FIELDPOST_REAL(ssize_t, pread, int, void*, size_t, off_t);
FIELDPOST_REAL(ssize_t, pread64, int, void*, size_t, off_t);
FIELDPOST_REAL(ssize_t, pwrite, int, const void*, size_t, off_t);
FIELDPOST_REAL(ssize_t, pwrite64, int, const void*, size_t, off_t);
FIELDPOST_REAL(int, fsync, int);
FIELDPOST_REAL(int, fdatasync, int);
FIELDPOST_REAL(int, ftruncate64, int, off_t);
FIELDPOST_REAL(int, posix_fallocate, int, off_t, off_t);
FIELDPOST_REAL(int, fcntl64, int, int, ...);
FIELDPOST_REAL(int, fchmod, int, mode_t);
FIELDPOST_REAL(int, fchown, int, uid_t, gid_t);
FIELDPOST_REAL(int, stat, const char*, struct stat*);
FIELDPOST_REAL(int, stat64, const char*, struct stat64*);
FIELDPOST_REAL(int, lstat64, const char*, struct stat64*);
FIELDPOST_REAL(int, fstat64, int, struct stat64*);
FIELDPOST_REAL(int, statvfs, const char*, struct statvfs*);
FIELDPOST_REAL(int, fstatvfs, int, struct statvfs*);
FIELDPOST_REAL(int, access, const char*, int);
FIELDPOST_REAL(int, unlink, const char*);
FIELDPOST_REAL(int, rename, const char*, const char*);
FIELDPOST_REAL(int, mkdir, const char*, mode_t);
FIELDPOST_REAL(DIR*, opendir, const char*);
FIELDPOST_REAL(dirent*, readdir, DIR*);
FIELDPOST_REAL(int, closedir, DIR*);
FIELDPOST_REAL(ssize_t, getrandom, void*, size_t, unsigned);

static mode_t mode_of(int flags, va_list& rest) { return (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : mode_t{0}; }

int __wrap_open(const char* path, int flags, ...) {
  if (const auto name = inside(path)) return open_inside(*name, flags);
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return __real_open(path, flags, mode);
}

int __wrap_open64(const char* path, int flags, ...) {
  if (const auto name = inside(path)) return open_inside(*name, flags);
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = mode_of(flags, rest);
  va_end(rest);
  return __real_open64(path, flags, mode);
}

int __wrap_close(int descriptor) {
  if (!is_ours(descriptor)) return __real_close(descriptor);
  const int error = enter(Call::close);  // the descriptor is gone all the same
  const auto at = static_cast<std::size_t>(descriptor - kFirstDescriptor);
  if (at < layer().files.size()) layer().files[at] = OpenFile{};
  return error == 0 ? 0 : fail(error);
}

ssize_t __wrap_pread(int descriptor, void* buffer, size_t count, off_t at) {
  return is_ours(descriptor) ? read_at(descriptor, buffer, count, static_cast<size_t>(at)) : __real_pread(descriptor, buffer, count, at);
}
ssize_t __wrap_pread64(int descriptor, void* buffer, size_t count, off_t at) {
  return is_ours(descriptor) ? read_at(descriptor, buffer, count, static_cast<size_t>(at)) : __real_pread64(descriptor, buffer, count, at);
}
ssize_t __wrap_pwrite(int descriptor, const void* buffer, size_t count, off_t at) {
  return is_ours(descriptor) ? write_at(descriptor, buffer, count, static_cast<size_t>(at)) : __real_pwrite(descriptor, buffer, count, at);
}
ssize_t __wrap_pwrite64(int descriptor, const void* buffer, size_t count, off_t at) {
  return is_ours(descriptor) ? write_at(descriptor, buffer, count, static_cast<size_t>(at)) : __real_pwrite64(descriptor, buffer, count, at);
}

ssize_t __wrap_read(int descriptor, void* buffer, size_t count) {
  if (!is_ours(descriptor)) return __real_read(descriptor, buffer, count);
  OpenFile* const file = file_of(descriptor);
  if (file == nullptr) return fail(EIO);
  const ssize_t done = read_at(descriptor, buffer, count, file->at);
  if (done > 0) file->at += static_cast<size_t>(done);
  return done;
}

ssize_t __wrap_write(int descriptor, const void* buffer, size_t count) {
  if (!is_ours(descriptor)) return __real_write(descriptor, buffer, count);
  OpenFile* const file = file_of(descriptor);
  if (file == nullptr) return fail(EIO);
  const ssize_t done = write_at(descriptor, buffer, count, file->at);
  if (done > 0) file->at += static_cast<size_t>(done);
  return done;
}

int __wrap_fsync(int descriptor) { return is_ours(descriptor) ? sync_open(descriptor) : __real_fsync(descriptor); }
int __wrap_fdatasync(int descriptor) { return is_ours(descriptor) ? sync_open(descriptor) : __real_fdatasync(descriptor); }

int __wrap_ftruncate64(int descriptor, off_t size) {
  return is_ours(descriptor) ? resize_open(descriptor, size) : __real_ftruncate64(descriptor, size);
}

int __wrap_posix_fallocate(int descriptor, off_t from, off_t length) {
  if (!is_ours(descriptor)) return __real_posix_fallocate(descriptor, from, length);
  return resize_open(descriptor, from + length, Call::allocate) == 0 ? 0 : errno;
}

int __wrap_fcntl64(int descriptor, int command, ...) {
  va_list rest;
  va_start(rest, command);
  void* const argument = va_arg(rest, void*);
  va_end(rest);
  if (!is_ours(descriptor)) return __real_fcntl64(descriptor, command, argument);
  return control_open(command, command == F_GETLK ? static_cast<struct flock*>(argument) : nullptr);
}

static int change_mode() {
  const int error = enter(Call::mode);
  return error == 0 ? 0 : fail(error);
}
int __wrap_fchmod(int descriptor, mode_t mode) { return is_ours(descriptor) ? change_mode() : __real_fchmod(descriptor, mode); }
int __wrap_fchown(int descriptor, uid_t user, gid_t group) { return is_ours(descriptor) ? change_mode() : __real_fchown(descriptor, user, group); }

int __wrap_stat(const char* path, struct stat* into) {
  const auto name = inside(path);
  return name ? stat_inside(*name, into) : __real_stat(path, into);
}
int __wrap_stat64(const char* path, struct stat64* into) {
  const auto name = inside(path);
  return name ? stat_inside(*name, into) : __real_stat64(path, into);
}
int __wrap_lstat64(const char* path, struct stat64* into) {
  const auto name = inside(path);
  return name ? stat_inside(*name, into) : __real_lstat64(path, into);
}
int __wrap_fstat64(int descriptor, struct stat64* into) { return is_ours(descriptor) ? stat_open(descriptor, into) : __real_fstat64(descriptor, into); }

int __wrap_statvfs(const char* path, struct statvfs* into) { return inside(path) ? fill_statvfs(into) : __real_statvfs(path, into); }
int __wrap_fstatvfs(int descriptor, struct statvfs* into) { return is_ours(descriptor) ? fill_statvfs(into) : __real_fstatvfs(descriptor, into); }

int __wrap_access(const char* path, int how) {
  const auto name = inside(path);
  if (!name) return __real_access(path, how);
  if (const int error = enter(Call::access); error != 0) return fail(error);
  if (is_dead()) return fail(EIO);
  return name->empty() || layer().disk->find(*name) != CrashDisk::kNone ? 0 : fail(ENOENT);
}

int __wrap_unlink(const char* path) {
  const auto name = inside(path);
  if (!name) return __real_unlink(path);
  if (const int error = enter(Call::remove); error != 0) return fail(error);
  if (is_dead()) return fail(EIO);
  if (layer().disk->find(*name) == CrashDisk::kNone) return fail(ENOENT);
  return layer().disk->remove(*name) ? 0 : fail(EIO);
}

int __wrap_rename(const char* from, const char* to) {
  const auto name = inside(from);
  if (!name) return __real_rename(from, to);
  if (const int error = enter(Call::rename); error != 0) return fail(error);
  if (is_dead()) return fail(EIO);
  if (layer().disk->find(*name) == CrashDisk::kNone) return fail(ENOENT);
  return layer().disk->rename(*name, *inside(to)) ? 0 : fail(EIO);
}

int __wrap_mkdir(const char* path, mode_t mode) {
  if (!inside(path)) return __real_mkdir(path, mode);
  if (const int error = enter(Call::make_directory); error != 0) return fail(error);
  return fail(is_dead() ? EIO : EEXIST);
}

DIR* __wrap_opendir(const char* path) {
  if (!inside(path)) return __real_opendir(path);
  const int error = enter(Call::list);
  if (error != 0 || is_dead()) {
    errno = error != 0 ? error : EIO;
    return nullptr;
  }
  layer().listing = layer().disk->names();
  layer().listed = 0;
  return reinterpret_cast<DIR*>(&layer());
}

dirent* __wrap_readdir(DIR* directory) {
  if (directory != reinterpret_cast<DIR*>(&layer())) return __real_readdir(directory);
  if (layer().listed == layer().listing.size()) return nullptr;
  const std::string& name = layer().listing[layer().listed++];
  layer().entry = dirent{};
  name.copy(layer().entry.d_name, sizeof layer().entry.d_name - 1);
  return &layer().entry;
}

int __wrap_closedir(DIR* directory) { return directory == reinterpret_cast<DIR*>(&layer()) ? 0 : __real_closedir(directory); }

/// A run must come out the same from the same seed, epochs included.
ssize_t __wrap_getrandom(void* buffer, size_t count, unsigned flags) {
  if (layer().disk == nullptr) return __real_getrandom(buffer, count, flags);
  if (const int error = enter(Call::random); error != 0) return fail(error);
  auto* const bytes = static_cast<unsigned char*>(buffer);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<unsigned char>(layer().chance());
  return static_cast<ssize_t>(count);
}

}  // extern "C"
// NOLINTEND
