// SPDX-License-Identifier: Apache-2.0
// What is left after a cut is made of what was synced and a choice among what was not.
#include "tests/support/crash_disk.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace fieldpost {
namespace {

/// How much of what was not synced got through; the first four are what real disks do most.
enum class Fate : std::uint8_t { nothing, everything, up_to_a_point, any_of_it };

Fate fate_of(std::mt19937_64& chance) { return static_cast<Fate>(chance() % 4); }

}  // namespace

CrashDisk::Inode CrashDisk::find(std::string_view name) const {
  const auto found = names_.find(name);
  return found == names_.end() ? kNone : found->second;
}

std::vector<std::string> CrashDisk::names() const {
  std::vector<std::string> all;
  for (const auto& [name, inode] : names_) all.push_back(name);
  return all;
}

/// Counts a change; the one at which the power goes is still made, for it may reach the medium or not.
bool CrashDisk::may_change() {
  if (is_off_) return false;
  ++changes_;
  if (changes_left_ > 0 && --changes_left_ == 0) is_off_ = true;
  return true;
}

bool CrashDisk::is_lie() {
  if (lies_per_thousand_ == 0 || lie_chance_() % 1000 >= lies_per_thousand_) return false;
  ++lies_;
  return true;
}

void CrashDisk::lie(unsigned per_thousand, std::uint64_t seed) {
  lies_per_thousand_ = per_thousand;
  lie_chance_.seed(seed);
}

void CrashDisk::apply(Names& names, const Renaming& renaming) {
  if (!renaming.from.empty()) names.erase(renaming.from);
  if (!renaming.to.empty()) names[renaming.to] = renaming.inode;
}

void CrashDisk::apply(std::vector<std::byte>& content, const Change& change) {
  if (change.is_resize) return content.resize(change.offset);
  if (content.size() < change.offset + change.bytes.size()) content.resize(change.offset + change.bytes.size());
  std::copy(change.bytes.begin(), change.bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(change.offset));
}

bool CrashDisk::create(std::string_view name) {
  if (!may_change()) return false;
  files_[++newest_];
  unsynced_names_.push_back({.from = {}, .to = std::string{name}, .inode = newest_});
  apply(names_, unsynced_names_.back());
  return !is_off_;
}

bool CrashDisk::rename(std::string_view from, std::string_view to) {
  if (!may_change()) return false;
  unsynced_names_.push_back({.from = std::string{from}, .to = std::string{to}, .inode = find(from)});
  apply(names_, unsynced_names_.back());
  return !is_off_;
}

bool CrashDisk::remove(std::string_view name) {
  if (!may_change()) return false;
  unsynced_names_.push_back({.from = std::string{name}, .to = {}, .inode = find(name)});
  apply(names_, unsynced_names_.back());
  return !is_off_;
}

bool CrashDisk::write(Inode inode, std::size_t offset, std::span<const std::byte> bytes) {
  if (!may_change()) return false;
  File& file = files_[inode];
  file.unsynced.push_back({.offset = offset, .bytes = {bytes.begin(), bytes.end()}});
  apply(file.now, file.unsynced.back());
  return !is_off_;
}

bool CrashDisk::resize(Inode inode, std::size_t size) {
  if (!may_change()) return false;
  File& file = files_[inode];
  file.unsynced.push_back({.offset = size, .bytes = {}, .is_resize = true});
  apply(file.now, file.unsynced.back());
  return !is_off_;
}

bool CrashDisk::is_readable(Inode inode, std::size_t from, std::size_t to) const {
  const auto found = unreadable_.find(inode);
  return found == unreadable_.end() || std::none_of(found->second.begin(), found->second.end(), [from, to](const auto& range) {
           return range.first < to && from < range.second;
         });
}

bool CrashDisk::sync(Inode inode) {
  if (!may_change() || is_off_) return false;
  if (fails_sync()) {
    files_[inode].unsynced.clear();
    return false;
  }
  if (is_lie()) return true;
  File& file = files_[inode];
  for (const Change& change : file.unsynced) apply(file.synced, change);
  file.unsynced.clear();
  return true;
}

bool CrashDisk::sync_directory() {
  if (!may_change() || is_off_) return false;
  if (is_lie()) return true;
  synced_names_ = names_;
  unsynced_names_.clear();
  std::erase_if(files_, [this](const auto& file) {
    return std::none_of(names_.begin(), names_.end(), [&file](const auto& name) { return name.second == file.first; });
  });
  return true;
}

std::span<const std::byte> CrashDisk::content(Inode inode) const {
  const auto found = files_.find(inode);
  return found == files_.end() ? std::span<const std::byte>{} : found->second.now;
}

void CrashDisk::damage(std::string_view name, std::size_t offset, std::byte with) {
  File& file = files_[find(name)];
  if (offset < file.now.size()) file.now[offset] = with;
  if (offset < file.synced.size()) file.synced[offset] = with;
}

void CrashDisk::overwrite(std::string_view name, std::vector<std::byte> content) {
  const auto found = names_.try_emplace(std::string{name}, newest_ + 1);
  if (found.second) ++newest_;
  synced_names_[std::string{name}] = found.first->second;
  File& file = files_[found.first->second];
  file.unsynced.clear();
  file.now = content;
  file.synced = std::move(content);
}

CrashDisk CrashDisk::after_power_cut(std::uint64_t seed) const {
  std::mt19937_64 chance{seed};
  CrashDisk left;
  left.newest_ = newest_;
  left.names_ = names_left(chance);
  left.synced_names_ = left.names_;
  for (const auto& [name, inode] : left.names_) {
    const auto file = files_.find(inode);
    if (file == files_.end()) continue;
    File& kept = left.files_[inode];
    kept.synced = what_is_left(file->second, chance);
    kept.now = kept.synced;
  }
  return left;
}

CrashDisk::Names CrashDisk::names_left(std::mt19937_64& chance) const {
  Names left = synced_names_;
  const Fate fate = fate_of(chance);
  const std::size_t point = fate == Fate::up_to_a_point ? chance() % (unsynced_names_.size() + 1) : unsynced_names_.size();
  for (std::size_t i = 0; i < point; ++i) {
    if (fate == Fate::nothing || (fate == Fate::any_of_it && chance() % 2 == 0)) continue;
    apply(left, unsynced_names_[i]);
  }
  return left;
}

std::vector<std::byte> CrashDisk::what_is_left(const File& file, std::mt19937_64& chance) {
  if (file.unsynced.empty()) return file.synced;
  switch (fate_of(chance)) {
    case Fate::nothing: return file.synced;
    case Fate::everything: return file.now;
    case Fate::up_to_a_point: {
      std::vector<std::byte> content = file.synced;
      const std::size_t whole = chance() % file.unsynced.size();
      for (std::size_t i = 0; i < whole; ++i) apply(content, file.unsynced[i]);
      Change torn = file.unsynced[whole];
      if (!torn.is_resize) {
        torn.bytes.resize(chance() % (torn.bytes.size() + 1));
        apply(content, torn);
      }
      return content;
    }
    case Fate::any_of_it: break;
  }
  return sectors_left(file, chance);
}

/// Each sector gets some of the pieces that were written to it, from the oldest on, as caches write them back.
std::vector<std::byte> CrashDisk::sectors_left(const File& file, std::mt19937_64& chance) {
  const std::size_t sector_bytes = chance() % 2 == 0 ? 512 : 4096;
  const bool garbles = chance() % 3 == 0;
  std::vector<std::size_t> lengths{file.synced.size()};
  std::size_t length = file.synced.size();
  std::size_t longest = length;
  std::map<std::size_t, std::vector<std::size_t>> pieces;  // sector -> changes that touch it, by number
  for (std::size_t i = 0; i < file.unsynced.size(); ++i) {
    const Change& change = file.unsynced[i];
    const std::size_t end = change.is_resize ? std::max(length, change.offset) : change.offset + change.bytes.size();
    length = change.is_resize ? change.offset : std::max(length, end);
    longest = std::max(longest, end);
    lengths.push_back(length);
    for (std::size_t sector = change.offset / sector_bytes; sector * sector_bytes < end; ++sector) pieces[sector].push_back(i);
  }

  std::vector<std::byte> content = file.synced;
  content.resize(longest);
  for (const auto& [sector, changes] : pieces) {
    const std::size_t done = chance() % (changes.size() + 1);
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const Change& change = file.unsynced[changes[i]];
      const std::size_t from = std::max(change.offset, sector * sector_bytes);
      const std::size_t to = std::min((sector + 1) * sector_bytes, change.is_resize ? longest : change.offset + change.bytes.size());
      const bool garbled = garbles && !change.is_resize && chance() % 8 == 0;
      for (std::size_t at = from; at < to; ++at) {
        if (garbled) {
          content[at] = static_cast<std::byte>(chance());
        } else if (i < done) {
          content[at] = change.is_resize ? std::byte{0} : change.bytes[at - change.offset];
        }
      }
    }
  }
  content.resize(lengths[chance() % lengths.size()]);
  return content;
}

}  // namespace fieldpost
