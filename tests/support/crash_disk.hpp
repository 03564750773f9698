// SPDX-License-Identifier: Apache-2.0
// A disk in memory that knows what a power cut would leave: every write, truncation, creation, renaming and
// removal that was not synced is remembered beside what was, and after_power_cut() picks, by a seed, which of
// them reached the medium. It models what POSIX leaves open and no more:
//   - of a file: each sector holds any of the versions it had since its last sync, so that writes are lost,
//     torn and reordered; the length likewise; bytes of an unsynced write may come out as anything
//   - of the directory: none, some or all of the changes since its last sync, in order or not; a synced file
//     whose entry was not synced is gone
// Bytes beside an unsynced write stay what they were: SQLite relies on that (SQLITE_POWERSAFE_OVERWRITE), and
// so do the two slots of outbox.marks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fieldpost {

class CrashDisk {
 public:
  using Inode = std::uint64_t;
  static constexpr Inode kNone = 0;

  // What the file layer does. Changes are refused (false) once the power is off.
  Inode find(std::string_view name) const;
  std::vector<std::string> names() const;
  bool create(std::string_view name);
  bool rename(std::string_view from, std::string_view to);
  bool remove(std::string_view name);
  bool write(Inode inode, std::size_t offset, std::span<const std::byte> bytes);
  bool resize(Inode inode, std::size_t size);
  bool sync(Inode inode);
  bool sync_directory();
  std::span<const std::byte> content(Inode inode) const;

  /// The power goes in the midst of the `changes`-th change from now on; 0: it stays.
  void cut_power_after(std::uint64_t changes) { changes_left_ = changes; }
  void cut_power() { is_off_ = true; }
  bool is_off() const noexcept { return is_off_; }
  std::uint64_t changes() const noexcept { return changes_; }

  /// So many of a thousand syncs are answered with success and not done.
  void lie(unsigned per_thousand, std::uint64_t seed);
  std::uint64_t lies() const noexcept { return lies_; }

  /// The disk as it is found when the power is back. The same seed gives the same.
  CrashDisk after_power_cut(std::uint64_t seed) const;

  /// From now on reading any of these bytes fails, by whatever name the file goes.
  void fail_reads(Inode inode, std::size_t from, std::size_t to) { unreadable_[inode].push_back({from, to}); }
  void heal_reads() { unreadable_.clear(); }
  bool is_readable(Inode inode, std::size_t from, std::size_t to) const;

  /// The sync after so many others fails, and `many` in all; and like Linux the disk then takes what was to be synced for
  /// written: no later sync brings it to the medium.
  void fail_sync_after(unsigned syncs, unsigned many = 1) {
    syncs_left_ = syncs;
    syncs_failing_ = many;
  }

  /// What was written and not synced stays readable and never reaches the medium: Linux after a sync that failed.
  void lose_unsynced(Inode inode) { files_[inode].unsynced.clear(); }

  /// Changes a byte on the medium behind everybody's back.
  void damage(std::string_view name, std::size_t offset, std::byte with);
  /// Likewise all of a file, which is made if it is not there.
  void overwrite(std::string_view name, std::vector<std::byte> content);

 private:
  struct Change {  ///< a write, or without bytes a change of the length
    std::size_t offset = 0;
    std::vector<std::byte> bytes;
    bool is_resize = false;
  };
  struct File {
    std::vector<std::byte> now;
    std::vector<std::byte> synced;
    std::vector<Change> unsynced;
  };
  struct Renaming {  ///< a creation has no `from`, a removal no `to`
    std::string from;
    std::string to;
    Inode inode = kNone;
  };
  using Names = std::map<std::string, Inode, std::less<>>;

  bool may_change();
  bool is_lie();
  bool fails_sync() {
    if (syncs_failing_ == 0) return false;
    if (syncs_left_ > 0) {
      --syncs_left_;
      return false;
    }
    --syncs_failing_;
    return true;
  }
  static void apply(std::vector<std::byte>& content, const Change& change);
  static void apply(Names& names, const Renaming& renaming);
  static std::vector<std::byte> what_is_left(const File& file, std::mt19937_64& chance);
  static std::vector<std::byte> sectors_left(const File& file, std::mt19937_64& chance);
  Names names_left(std::mt19937_64& chance) const;

  std::map<Inode, File> files_;
  Names names_;
  Names synced_names_;
  std::vector<Renaming> unsynced_names_;
  Inode newest_ = 0;
  std::uint64_t changes_ = 0;
  std::uint64_t changes_left_ = 0;
  bool is_off_ = false;
  unsigned lies_per_thousand_ = 0;
  std::mt19937_64 lie_chance_;
  std::uint64_t lies_ = 0;
  std::map<Inode, std::vector<std::pair<std::size_t, std::size_t>>> unreadable_;
  unsigned syncs_left_ = 0;
  unsigned syncs_failing_ = 0;
};

}  // namespace fieldpost
