// SPDX-License-Identifier: Apache-2.0
// Every number read is checked before it is a place; every walk is bounded by the pages that there are.
#include "agent/store/damaged_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "agent/store/segment.hpp"

namespace fieldpost {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kPage = DamagedFile::kPageBytes;
constexpr std::uint8_t kTableLeaf = 0x0D;
constexpr std::uint8_t kTableInterior = 0x05;
constexpr std::size_t kFrameHeader = 24;
constexpr std::size_t kLogHeader = 32;
constexpr std::string_view kSegmentMagic = "FPSG";

std::uint32_t u8(Bytes bytes, std::size_t at) { return std::to_integer<std::uint32_t>(bytes[at]); }
std::uint32_t u16(Bytes bytes, std::size_t at) { return u8(bytes, at) << 8U | u8(bytes, at + 1); }
std::uint32_t u32(Bytes bytes, std::size_t at) { return u16(bytes, at) << 16U | u16(bytes, at + 2); }
std::uint32_t u32_little(Bytes bytes, std::size_t at) { return __builtin_bswap32(u32(bytes, at)); }
std::uint64_t u64_little(Bytes bytes, std::size_t at) { return std::uint64_t{u32_little(bytes, at + 4)} << 32U | u32_little(bytes, at); }

/// SQLite's: the high group first, the ninth byte whole. Moves `at` behind it; false at the end of the bytes.
bool varint(Bytes bytes, std::size_t& at, std::uint64_t& value) {
  value = 0;
  for (int i = 0; i < 9; ++i) {
    if (at >= bytes.size()) return false;
    const std::uint32_t byte = u8(bytes, at++);
    value = i == 8 ? value << 8U | byte : value << 7U | (byte & 0x7FU);
    if (i == 8 || byte < 0x80) return true;
  }
  return false;
}

bool is_magic(Bytes page, std::size_t at) { return at + kSegmentMagic.size() <= page.size() && std::memcmp(&page[at], kSegmentMagic.data(), kSegmentMagic.size()) == 0; }

/// Bytes of a payload that stay in a leaf's page; the rest goes into a chain.
std::size_t local_bytes(std::size_t payload) {
  constexpr std::size_t kMost = kPage - 35;
  constexpr std::size_t kLeast = (kPage - 12) * 32 / 255 - 23;
  if (payload <= kMost) return payload;
  const std::size_t wanted = kLeast + (payload - kLeast) % (kPage - 4);
  return wanted <= kMost ? wanted : kLeast;
}

/// A row of `body`: its key stands for the first column, the second is the segment, whose own length must agree.
std::optional<DamagedFile::Cell> cell_at(Bytes page, std::size_t begin) {
  std::size_t at = begin;
  std::uint64_t payload = 0;
  std::uint64_t row = 0;
  std::uint64_t header = 0;
  std::uint64_t key = 0;
  std::uint64_t type = 0;
  if (!varint(page, at, payload) || !varint(page, at, row)) return std::nullopt;
  const std::size_t record = at;
  if (!varint(page, at, header) || !varint(page, at, key) || !varint(page, at, type)) return std::nullopt;
  if (header != at - record || key != 0 || !is_magic(page, at) || at + 16 > page.size()) return std::nullopt;
  const std::size_t version = u8(page, at + 4);
  if (version >= kSegmentHeaderBytesOf.size()) return std::nullopt;
  const std::uint64_t bytes = std::uint64_t{u32_little(page, at + 12)} + kSegmentHeaderBytesOf[version];
  if (bytes > kSegmentBytesMax || type != 12 + 2 * bytes || payload != header + bytes || static_cast<std::int64_t>(row) <= 0) return std::nullopt;
  const std::size_t local = local_bytes(static_cast<std::size_t>(payload));
  const std::size_t end = record + local + (local < payload ? 4 : 0);
  if (end > page.size() || at + 36 > end) return std::nullopt;
  return DamagedFile::Cell{.row = static_cast<std::int64_t>(row), .begin = begin, .body = at, .local = local - static_cast<std::size_t>(header),
                           .bytes = static_cast<std::size_t>(bytes), .version = static_cast<std::uint8_t>(version),
                           .lane = static_cast<std::uint8_t>(u8(page, at + 5)), .epoch = u64_little(page, at + 20), .seq = u64_little(page, at + 28)};
}

constexpr std::uint32_t kPropertyRoot = 2;
constexpr std::string_view kEpochName = "epoch";

bool names(Bytes page, std::string_view text) { return ::memmem(page.data(), page.size(), text.data(), text.size()) != nullptr; }

bool names_epoch(Bytes page, std::uint64_t epoch) {
  std::string row{kEpochName};
  for (int shift = 56; shift >= 0; shift -= 8) row += static_cast<char>(epoch >> static_cast<unsigned>(shift));
  return names(page, row);
}

bool read_at(const FileDescriptor& file, std::uint64_t at, std::span<std::byte> into) {
  while (true) {
    const ssize_t count = ::pread(file.get(), into.data(), into.size(), static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    return count == static_cast<ssize_t>(into.size());
  }
}

/// A log that is a link was renamed with its outbox; the name that it points to may be that of the log of the new one by now.
enum class Links : std::uint8_t { follow, refuse };

/// 0: there is none.
Result<std::uint64_t> bytes_of(const std::string& path, Links links) {
  struct stat found {};
  if ((links == Links::follow ? ::stat(path.c_str(), &found) : ::lstat(path.c_str(), &found)) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::uint64_t{0};
    return errno_error("find " + path, errno);
  }
  return S_ISREG(found.st_mode) && found.st_size > 0 ? static_cast<std::uint64_t>(found.st_size) : std::uint64_t{0};
}

Result<FileDescriptor> open_to_read(const std::string& path) {
  FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!file) return errno_error("open " + path, errno);
  return file;
}

/// Orders frames: by page, and within it (in the lower half) the newest first.
constexpr std::uint64_t key_of(std::uint32_t page) { return std::uint64_t{page} << 32U; }

/// The log's checksum, which goes on from frame to frame; its words are in the order of who began the log.
struct LogSum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool is_big = false;

  void add(Bytes bytes) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first += (is_big ? u32(bytes, at) : u32_little(bytes, at)) + second;
      second += (is_big ? u32(bytes, at + 4) : u32_little(bytes, at + 4)) + first;
    }
  }
  bool is_at(Bytes bytes, std::size_t at) const { return u32(bytes, at) == first && u32(bytes, at + 4) == second; }
};

}  // namespace

Result<DamagedFile> DamagedFile::open(const std::string& path) {
  const std::uint64_t bytes = TRY(bytes_of(path, Links::follow));
  if (bytes == 0) return Error{ErrorKind::NotPresent, "there is no " + path};
  DamagedFile damaged{TRY(open_to_read(path))};
  damaged.pages_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes / kPageBytes, kPagesMax));
  TRY(damaged.read_log(path + "-wal"));
  damaged.free_.resize(std::size_t{damaged.pages_} + 1);
  return damaged;
}

Result<void> DamagedFile::read_log(const std::string& path) {
  std::array<std::byte, kFrameHeader + kPageBytes> frame{};
  const auto header = std::span{frame}.first(kLogHeader);
  if (TRY(bytes_of(path, Links::refuse)) == 0) return {};
  log_ = TRY(open_to_read(path));
  if (!read_at(log_, 0, header)) return {};
  constexpr std::uint32_t kMagic = 0x377F0682;
  LogSum sum{.is_big = u32(header, 0) == (kMagic | 1U)};
  sum.add(header.first(24));
  if ((u32(header, 0) & ~1U) != kMagic || u32(header, 8) != kPageBytes || !sum.is_at(header, 24)) return {};
  std::array<std::byte, 8> salts{};
  std::copy_n(&header[16], salts.size(), salts.begin());

  std::size_t committed = 0;
  std::uint32_t pages = pages_;
  for (std::uint32_t number = 0; number < kFramesMax; ++number) {
    if (!read_at(log_, kLogHeader + std::uint64_t{number} * frame.size(), frame)) break;
    sum.add(std::span{frame}.first(8));
    sum.add(std::span{frame}.subspan(kFrameHeader));
    const std::uint32_t page = u32(frame, 0);
    if (std::memcmp(&frame[8], salts.data(), salts.size()) != 0 || !sum.is_at(frame, 16) || page == 0 || page > kPagesMax) break;
    frames_.push_back(key_of(page) | (kFramesMax - number));
    pages = std::max(pages, page);
    if (u32(frame, 4) == 0) continue;
    committed = frames_.size();
    pages_ = pages;
  }
  frames_.resize(committed);
  std::sort(frames_.begin(), frames_.end());
  return {};
}

bool DamagedFile::read(std::uint32_t number, Page& page) const {
  if (number == 0 || number > pages_) return false;
  const auto found = std::lower_bound(frames_.begin(), frames_.end(), key_of(number));
  if (found == frames_.end() || *found >= key_of(number + 1)) return read_at(file_, (number - 1) * std::uint64_t{kPageBytes}, page);
  const std::uint64_t frame = kFramesMax - (*found - key_of(number));
  return read_at(log_, kLogHeader + frame * (kFrameHeader + kPageBytes) + kFrameHeader, page);
}

std::int64_t DamagedFile::newest_row_at_a_glance() const {
  constexpr std::uint32_t kGlances = 256;
  std::int64_t newest = 0;
  Page page{};
  for (std::uint32_t number = 2; number <= pages_; number += 1 + pages_ / kGlances) {
    if (!read(number, page)) continue;
    for (const Cell& cell : cells_of(page)) newest = std::max(newest, cell.row);
  }
  // Down the right edge of the tree, where the newest is if nothing of the way is damaged.
  constexpr int kDepthMax = 20;
  std::uint32_t number = kBodyRoot;
  for (int depth = 0; depth < kDepthMax && read(number, page); ++depth) {
    for (const Cell& cell : cells_of(page)) newest = std::max(newest, cell.row);
    if (u8(page, 0) != kTableInterior) break;
    const std::uint32_t count = u16(page, 3);
    std::size_t at = count > 0 && 12 + 2 * count <= kPageBytes ? u16(page, 10 + 2 * count) + std::size_t{4} : kPageBytes;
    std::uint64_t key = 0;  // of the last cell: the greatest row but for the right edge
    if (varint(page, at, key) && key < std::uint64_t{1} << 62U) newest = std::max(newest, static_cast<std::int64_t>(key));
    number = u32(page, 8);
  }
  return newest;
}

bool DamagedFile::knows(std::uint64_t epoch, std::uint64_t newest_seq) const {
  Page page{};
  if (!read(1, page) || u32(page, 60) < newest_seq || !read(kPropertyRoot, page)) return false;  // user_version
  return names_epoch(page, epoch);
}

bool DamagedFile::is_of_another(std::uint64_t epoch) const {
  Page page{};
  return read(kPropertyRoot, page) && names(page, kEpochName) && !names_epoch(page, epoch);
}

/// False if there is no such page, or it was marked already: a list that comes back to itself.
bool DamagedFile::mark(std::uint32_t number) {
  std::vector<bool>& marks = stage_ == Stage::tree ? used_ : free_;
  if (number == 0 || number > pages_ || marks[number]) return false;
  marks[number] = true;
  return true;
}

bool DamagedFile::survey(std::size_t pages) {
  constexpr std::string_view kHeader{"SQLite format 3\0\4\0", 18};
  Page page{};
  if (stage_ == Stage::header) {
    is_whole_ = read(1, page) && std::memcmp(page.data(), kHeader.data(), kHeader.size()) == 0;
    free_left_ = u32(page, 36);
    if (is_whole_ && u32(page, 32) != 0) next_.push_back(u32(page, 32));
    stage_ = Stage::free_list;
  }
  for (; pages > 0 && !next_.empty(); --pages) {
    const std::uint32_t number = next_.back();
    next_.pop_back();
    if (!mark(number) || !read(number, page)) {
      is_whole_ = false;
    } else if (stage_ == Stage::free_list) {
      survey_free_list(page);
    } else {
      survey_tree(page);
    }
  }
  if (!next_.empty()) return false;
  if (stage_ == Stage::free_list) {
    knows_used_ = is_whole_ && free_left_ == 0;
    stage_ = knows_used_ ? Stage::done : Stage::tree;
    if (stage_ == Stage::done) return true;
    is_whole_ = true;
    used_.resize(free_.size());
    next_.push_back(kBodyRoot);
    return false;
  }
  if (stage_ == Stage::tree) knows_used_ = by_tree_ = is_whole_;
  stage_ = Stage::done;
  return true;
}

void DamagedFile::survey_free_list(const Page& page) {
  const std::uint32_t leaves = u32(page, 4);
  if (leaves > kPageBytes / 4 - 2 || free_left_ < leaves + 1) {
    is_whole_ = false;
    return;
  }
  free_left_ -= leaves + 1;
  for (std::uint32_t i = 0; i < leaves; ++i) is_whole_ = mark(u32(page, 8 + 4 * i)) && is_whole_;
  if (u32(page, 0) != 0) next_.push_back(u32(page, 0));
}

void DamagedFile::survey_tree(const Page& page) {
  if (u8(page, 0) == kTableLeaf) return;
  const std::uint32_t count = u16(page, 3);
  if (u8(page, 0) != kTableInterior || 12 + 2 * count > kPageBytes || next_.size() > pages_) {
    is_whole_ = false;
    return;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t at = u16(page, 12 + 2 * i);
    if (at + 4 <= kPageBytes) {
      next_.push_back(u32(page, at));
    } else {
      is_whole_ = false;
    }
  }
  next_.push_back(u32(page, 8));
}

std::vector<DamagedFile::Cell> DamagedFile::cells(std::uint32_t number) const {
  Page page{};
  if (number < 2 || number > pages_ || (by_tree_ ? !used_[number] : free_[number]) || !read(number, page)) return {};
  return cells_of(page);
}

std::vector<DamagedFile::Cell> DamagedFile::cells_of(std::span<const std::byte, kPageBytes> page) {
  const std::uint32_t count = u16(page, 3);
  const std::size_t start = u16(page, 5);
  std::vector<std::uint64_t> pointers;
  for (std::uint32_t i = 0; i < count && 10 + 2 * i <= kPageBytes; ++i) pointers.push_back(u16(page, 8 + 2 * i));
  std::sort(pointers.begin(), pointers.end());
  const bool is_twice = std::adjacent_find(pointers.begin(), pointers.end()) != pointers.end();
  pointers.erase(std::unique(pointers.begin(), pointers.end()), pointers.end());
  std::vector<Cell> pointed;
  for (const std::uint64_t pointer : pointers) {
    if (auto cell = cell_at(page, static_cast<std::size_t>(pointer))) pointed.push_back(*cell);
  }
  const bool is_whole = !is_twice && pointed.size() == count;
  if ((count > 0 && is_whole) || u8(page, 0) != kTableLeaf) return is_whole ? pointed : std::vector<Cell>{};

  std::array<bool, kPageBytes> is_free{};
  bool makes_sense = start >= 8 && start <= kPageBytes;
  if (makes_sense) std::fill_n(is_free.begin(), start, true);
  for (std::size_t at = u16(page, 1); makes_sense && at != 0;) {
    const std::size_t bytes = at + 4 <= kPageBytes ? u16(page, at + 2) : 0;
    const std::size_t next = bytes >= 4 ? u16(page, at) : 0;
    makes_sense = bytes >= 4 && at >= start && at + bytes <= kPageBytes && (next == 0 || next >= at + bytes);
    if (makes_sense) std::fill_n(is_free.begin() + static_cast<std::ptrdiff_t>(at), bytes, true);
    at = next;
  }
  if (!makes_sense) return pointed;
  constexpr std::size_t kCellHeaderMin = 5;
  constexpr std::size_t kCellHeaderMax = 3 + 9 + 1 + 1 + 4;
  std::vector<Cell> found;
  for (std::size_t at = start + kCellHeaderMin; at < kPageBytes; ++at) {
    if (is_free[at] || !is_magic(page, at)) continue;
    for (std::size_t header = kCellHeaderMin; header <= std::min(kCellHeaderMax, at - start); ++header) {
      const auto cell = cell_at(page, at - header);
      if (!cell || cell->body != at || is_free[cell->begin]) continue;
      found.push_back(*cell);
      break;
    }
  }
  // By where they begin, each beginning once: a reader goes on from there.
  std::sort(found.begin(), found.end(), [](const Cell& one, const Cell& other) { return one.begin < other.begin; });
  found.erase(std::unique(found.begin(), found.end(), [](const Cell& one, const Cell& other) { return one.begin == other.begin; }), found.end());
  return found;
}

std::optional<std::vector<std::byte>> DamagedFile::body(std::uint32_t number, const Cell& cell) const {
  Page page{};
  if (!read(number, page)) return std::nullopt;
  std::vector<std::byte> bytes;
  bytes.reserve(cell.bytes);
  std::size_t from = cell.body;
  std::size_t count = cell.local;
  while (true) {
    bytes.insert(bytes.end(), &page[from], &page[from] + count);
    if (bytes.size() == cell.bytes) return bytes;
    // The number of the next page stands behind what is in the leaf, and at the beginning of those of the chain.
    const std::uint32_t next = u32(page, from == 4 ? 0 : from + count);
    if (!read(next, page)) return std::nullopt;
    from = 4;
    count = std::min(cell.bytes - bytes.size(), kPageBytes - 4);
  }
}

}  // namespace fieldpost
