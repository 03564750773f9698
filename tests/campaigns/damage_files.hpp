// SPDX-License-Identifier: Apache-2.0
// All damages that the campaign does to the files of a store, by number and by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace fieldpost {

using DamageFiles = std::map<std::string, std::vector<std::byte>, std::less<>>;

struct Damage {
  enum class Kind : std::uint8_t {
    invert,      ///< all bits of the byte at `at`
    bit,         ///< bit `at`
    cut,         ///< the file ends at `at`
    sector,      ///< 512 bytes of garbage from `at` on
    block,       ///< 4096
    zero_block,  ///< 4096 zeros
    swap,        ///< pages (1 KiB) `at` and `with` change places
    // The file is something else. On a real file system, for these are the kernel's.
    gone,
    empty,
    zeros,
    ones,
    garbage,
    other_file,
    directory,
    full_directory,
    fifo,
    dangling_link,
    endless_link,
    end
  };

  Kind kind{};
  std::string file;
  std::size_t at = 0;
  std::size_t with = 0;
  std::string other;

  static constexpr bool is_of_a_file(Kind kind) noexcept { return kind >= Kind::gone; }
  bool is_of_a_file() const noexcept { return is_of_a_file(kind); }
  std::string kind_name() const;
  std::string name() const;

  std::vector<std::byte> applied_to(std::vector<std::byte> content) const;
  /// Writes `files` below `directory`, this one damaged.
  void lay_out(const DamageFiles& files, const std::string& directory) const;
};

class DamagePlaces {
 public:
  /// `files` are lent and outlive it. `seed`: of what is random.
  DamagePlaces(const DamageFiles& files, std::uint64_t seed);
  std::uint64_t size() const noexcept { return size_; }
  Damage at(std::uint64_t number) const;

 private:
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    Damage::Kind kind{};
    const std::string* file = nullptr;
    std::size_t bytes = 0;
  };
  void add(Damage::Kind kind, const std::string& file, std::uint64_t count, std::size_t bytes);

  std::vector<Range> ranges_;
  std::vector<std::string> names_;
  std::uint64_t size_ = 0;
  std::uint64_t seed_ = 0;
};

}  // namespace fieldpost
