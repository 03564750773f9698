// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/damage_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <random>
#include <string_view>

namespace fieldpost {
namespace {

constexpr std::size_t kPageBytes = 1024;
/// Files up to this size have each of their bits changed; of larger ones the beginning, where headers lie.
constexpr std::size_t kBitsBytes = 512;

constexpr std::array<std::string_view, static_cast<std::size_t>(Damage::Kind::end)> kNames{
    "invert",         "bit",   "cut",           "sector",      "block",   "zero-block", "swap",
    "gone",           "empty", "zeros",         "ones",        "garbage", "other-file", "directory",
    "full-directory", "fifo",  "dangling-link", "endless-link"};

std::uint64_t mixed(std::uint64_t number) {
  number = (number + 0x9E3779B97F4A7C15ULL) * 0xBF58476D1CE4E5B9ULL;
  return number ^ (number >> 29U);
}

void fill(std::vector<std::byte>& content, std::size_t from, std::size_t count, std::uint64_t seed) {
  std::mt19937_64 chance{seed};
  for (std::size_t i = from; i < std::min(content.size(), from + count); ++i)
    content[i] = static_cast<std::byte>(chance());
}

void write_file(const std::string& path, const std::vector<std::byte>& content) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(path.c_str(), "wb"), std::fclose};
  if (file && !content.empty()) std::fwrite(content.data(), 1, content.size(), file.get());
}

}  // namespace

std::string Damage::kind_name() const { return std::string{kNames[static_cast<std::size_t>(kind)]}; }

std::string Damage::name() const {
  std::string name = kind_name() + ":" + file;
  if (kind == Kind::other_file) return name + ":" + other;
  if (is_of_a_file()) return name;
  name += ":" + std::to_string(at);
  return kind == Kind::swap ? name + ":" + std::to_string(with) : name;
}

std::vector<std::byte> Damage::applied_to(std::vector<std::byte> content) const {
  const auto place = [&content](std::size_t offset) {
    return content.begin() + static_cast<std::ptrdiff_t>(std::min(content.size(), offset));
  };
  if (kind == Kind::invert) content[at] ^= std::byte{0xFF};
  if (kind == Kind::bit) content[at / 8] ^= std::byte{1} << (at % 8);
  if (kind == Kind::cut) content.resize(at);
  if (kind == Kind::sector) fill(content, at, 512, at);
  if (kind == Kind::block) fill(content, at, 4096, at);
  if (kind == Kind::zero_block) std::fill(place(at), place(at + 4096), std::byte{0});
  if (kind == Kind::swap)
    std::swap_ranges(place(at * kPageBytes), place((at + 1) * kPageBytes), place(with * kPageBytes));
  if (kind == Kind::empty) content.clear();
  if (kind == Kind::zeros) std::fill(content.begin(), content.end(), std::byte{0});
  if (kind == Kind::ones) std::fill(content.begin(), content.end(), std::byte{0xFF});
  if (kind == Kind::garbage) fill(content, 0, content.size(), 7);
  return content;
}

void Damage::lay_out(const DamageFiles& files, const std::string& directory) const {
  ::mkdir(directory.c_str(), 0750);
  for (const auto& [name, content] : files) {
    const std::string path = directory + "/" + name;
    if (name != file) {
      write_file(path, content);
    } else if (kind == Kind::other_file) {
      write_file(path, files.at(other));
    } else if (kind == Kind::directory || kind == Kind::full_directory) {
      ::mkdir(path.c_str(), 0750);
      if (kind == Kind::full_directory) write_file(path + "/file", content);
    } else if (kind == Kind::fifo) {
      ::mkfifo(path.c_str(), 0640);
    } else if (kind == Kind::dangling_link || kind == Kind::endless_link) {
      static_cast<void>(!::symlink(kind == Kind::dangling_link ? "elsewhere" : name.c_str(), path.c_str()));
    } else if (kind != Kind::gone) {
      write_file(path, applied_to(content));
    }
  }
}

DamagePlaces::DamagePlaces(const DamageFiles& files, std::uint64_t seed) : seed_{seed} {
  for (const auto& [name, content] : files) names_.push_back(name);
  for (const std::string& name : names_) {
    const std::size_t bytes = files.find(name)->second.size();
    const std::size_t pages = bytes / kPageBytes;
    add(Damage::Kind::invert, name, bytes, bytes);
    add(Damage::Kind::bit, name, 8 * std::min(bytes, kBitsBytes), bytes);
    add(Damage::Kind::cut, name, bytes, bytes);
    add(Damage::Kind::sector, name, (bytes + 511) / 512, bytes);
    add(Damage::Kind::block, name, (bytes + 4095) / 4096, bytes);
    add(Damage::Kind::zero_block, name, (bytes + 4095) / 4096, bytes);
    add(Damage::Kind::swap, name, pages > 1 ? 10 * pages : 0, bytes);
    for (auto kind = static_cast<std::uint8_t>(Damage::Kind::gone);
         kind < static_cast<std::uint8_t>(Damage::Kind::end); ++kind) {
      const auto which = static_cast<Damage::Kind>(kind);
      add(which, name, which == Damage::Kind::other_file ? names_.size() - 1 : 1, bytes);
    }
  }
}

void DamagePlaces::add(Damage::Kind kind, const std::string& file, std::uint64_t count, std::size_t bytes) {
  if (count == 0) return;
  ranges_.push_back({.first = size_, .count = count, .kind = kind, .file = &file, .bytes = bytes});
  size_ += count;
}

Damage DamagePlaces::at(std::uint64_t number) const {
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), number,
                       [](std::uint64_t wanted, const Range& range) { return wanted < range.first; });
  const Range& range = *(after - 1);
  const auto place = static_cast<std::size_t>(number - range.first);
  Damage damage{.kind = range.kind, .file = *range.file, .at = place, .with = 0, .other = {}};
  if (range.kind == Damage::Kind::sector) damage.at = place * 512;
  if (range.kind == Damage::Kind::block || range.kind == Damage::Kind::zero_block) damage.at = place * 4096;
  if (range.kind == Damage::Kind::swap) {
    const std::size_t pages = range.bytes / kPageBytes;
    damage.at = place % pages;
    damage.with = static_cast<std::size_t>(mixed(seed_ + number)) % (pages - 1);
    damage.with += damage.with >= damage.at ? 1U : 0U;
  }
  if (range.kind == Damage::Kind::other_file)
    damage.other = names_[place] < *range.file ? names_[place] : names_[place + 1];
  return damage;
}

}  // namespace fieldpost
