// SPDX-License-Identifier: Apache-2.0
// Two slots, 4096 bytes apart (so that no page holds both). A slot: magic "FPMK", CRC-32C of what
// follows, count, epoch, newest seq, newest acknowledged, oldest waiting, readings that wait by lane; little-endian. The slot with
// the higher count is the newer one. Behind it, after an orderly end: 32 ranges (first, last row) by lane of what was handed out, and
// a CRC-32C of them and all before them. Marks without them are the slot alone, and that CRC is wrong then; so it is where an agent of before wrote what it knew.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "agent/store/byte_reader.hpp"
#include "agent/store/byte_writer.hpp"
#include "agent/store/marks.hpp"
#include "platform/crc32c.hpp"
#include "platform/file_descriptor.hpp"

namespace fieldpost {
namespace {

constexpr std::uint32_t kMagic = 0x4B4D5046;  // "FPMK"
constexpr std::size_t kSlotBytes = 48 + 8 * kLanes.size();
constexpr std::size_t kFullSlotBytes = kSlotBytes + 16 * HandedOut::kRangesMax * kLanes.size() + 4;
constexpr off_t kSlotDistance = 4096;

struct Slot {
  std::uint64_t count = 0;
  Marks marks;
};

std::vector<std::byte> slot_bytes(const Slot& slot) {
  ByteWriter content;
  content.u64(slot.count);
  content.u64(slot.marks.epoch);
  content.u64(slot.marks.newest_seq);
  content.u64(slot.marks.newest_acknowledged);
  content.u64(slot.marks.oldest_waiting);
  for (const std::uint64_t readings : slot.marks.waiting) content.u64(readings);
  ByteWriter out;
  out.u32(kMagic);
  out.u32(crc32c(content.view()));
  out.bytes(content.view());
  if (slot.marks.handed_out) {
    for (std::vector<HandedOut::Range> ranges : *slot.marks.handed_out) {
      ranges.resize(HandedOut::kRangesMax);
      for (const HandedOut::Range& range : ranges) {
        out.u64(static_cast<std::uint64_t>(range.first));
        out.u64(static_cast<std::uint64_t>(range.last));
      }
    }
    out.u32(crc32c(out.view()));
  }
  return std::move(out).take();
}

std::optional<Slot> read_slot(std::span<const std::byte> bytes) {
  ByteReader in{bytes};
  const std::uint32_t magic = in.u32();
  const std::uint32_t crc = in.u32();
  if (in.failed() || magic != kMagic || crc != crc32c(bytes.subspan(8, kSlotBytes - 8))) return std::nullopt;
  Slot slot;
  slot.count = in.u64();
  slot.marks.epoch = in.u64();
  slot.marks.newest_seq = in.u64();
  slot.marks.newest_acknowledged = in.u64();
  slot.marks.oldest_waiting = in.u64();
  for (std::uint64_t& readings : slot.marks.waiting) readings = in.u64();
  if (bytes.size() != kFullSlotBytes) return slot;
  HandedOut::Ranges handed_out;
  for (std::vector<HandedOut::Range>& ranges : handed_out) {
    ranges.resize(HandedOut::kRangesMax);
    for (HandedOut::Range& range : ranges) range = {static_cast<std::int64_t>(in.u64()), static_cast<std::int64_t>(in.u64())};
    std::erase(ranges, HandedOut::Range{});
  }
  if (in.u32() == crc32c(bytes.first(kFullSlotBytes - 4))) slot.marks.handed_out = std::move(handed_out);
  return slot;
}

class MarkFile final : public MarkStorage {
 public:
  explicit MarkFile(std::string path) : path_{std::move(path)} {}

  Result<std::optional<Marks>> read() override {
    const FileDescriptor file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!file) {
      if (errno == ENOENT) return std::optional<Marks>{};
      return errno_error("open " + path_, errno);
    }
    std::optional<Slot> newest;
    for (const off_t place : {off_t{0}, kSlotDistance}) {
      std::array<std::byte, kFullSlotBytes> bytes{};
      const ssize_t count = ::pread(file.get(), bytes.data(), bytes.size(), place);
      if (count < 0) return errno_error("read " + path_, errno);
      if (static_cast<std::size_t>(count) < kSlotBytes) continue;
      const auto slot = read_slot(std::span{bytes}.first(static_cast<std::size_t>(count)));
      if (slot && (!newest || slot->count > newest->count)) newest = slot;
    }
    if (!newest) return std::optional<Marks>{};
    count_ = newest->count;
    return std::optional<Marks>{newest->marks};
  }

  Result<void> write(const Marks& marks) override {
    // Opened for each write: a directory that went away and came back is found again.
    // One that cannot be read (a bad block, another owner) makes room for a new one: the directory is ours.
    if (count_ == 0 && !read()) ::unlink(path_.c_str());
    FileDescriptor file{::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640)};
    if (!file) return errno_error("open " + path_, errno);
    const std::uint64_t next = count_ + 1;
    const auto bytes = slot_bytes({next, marks});
    const off_t place = next % 2 == 0 ? 0 : kSlotDistance;
    ssize_t written = 0;
    do {
      written = ::pwrite(file.get(), bytes.data(), bytes.size(), place);
    } while (written < 0 && errno == EINTR);
    if (written < 0) return errno_error("write " + path_, errno);
    if (static_cast<std::size_t>(written) != bytes.size()) {
      return Error{ErrorKind::Full, "write " + path_ + ": the disk is full"};
    }
    if (::fdatasync(file.get()) != 0) return errno_error("fdatasync " + path_, errno);
    count_ = next;
    return {};
  }

 private:
  std::string path_;
  std::uint64_t count_ = 0;
};

}  // namespace

std::unique_ptr<MarkStorage> make_mark_file(std::string path) { return std::make_unique<MarkFile>(std::move(path)); }

}  // namespace fieldpost
