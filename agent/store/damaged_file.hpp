// SPDX-License-Identifier: Apache-2.0
// An outbox that was set aside, read without SQLite: page by page, believing nothing. Salvage asks it for bodies. The format is
// https://www.sqlite.org/fileformat2.html; only what our own tables need of it is known here, and pages of 1 KiB, which all
// of ours have.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class DamagedFile {
 public:
  static constexpr std::size_t kPageBytes = 1024;
  static constexpr std::uint32_t kPagesMax = 1U << 24U;  ///< 16 GiB; what lies beyond is not read
  static constexpr std::uint32_t kFramesMax = 1U << 16U;  ///< of the log
  /// The tables are made in one order in a new file, so this is where the tree of `body` has its root.
  static constexpr std::uint32_t kBodyRoot = 4;

  /// Where a body of table `body` begins, by its b-tree cell.
  struct Cell {
    std::int64_t row = 0;
    std::size_t begin = 0;    ///< of the cell, within its page
    std::size_t body = 0;     ///< of the body
    std::size_t local = 0;    ///< bytes of the body in this page; the rest is in a chain of pages
    std::size_t bytes = 0;    ///< of the whole body, as the segment says itself
    // What else it says, before its CRC has been looked at.
    std::uint8_t version = 0;
    std::uint8_t lane = 0;
    std::uint64_t epoch = 0;
    std::uint64_t seq = 0;
  };
  using Page = std::array<std::byte, kPageBytes>;

  /// Reads the log beside it, too: committed frames up to the first that is not whole, as SQLite would.
  /// Errors: NotPresent if there is no regular file, or an empty one; others may pass, and no part of it is read then.
  /// Blocks: as long as reading the log takes
  static Result<DamagedFile> open(const std::string& path);

  std::uint32_t pages() const noexcept { return pages_; }
  /// Of some pages, here and there, and of those on the way to the newest. 0: there was no body in them.
  std::int64_t newest_row_at_a_glance() const;
  /// True if it says itself that it holds `epoch` up to `newest_seq`, or beyond.
  bool knows(std::uint64_t epoch, std::uint64_t newest_seq) const;
  /// True if it says itself that it is of an epoch, and not of this one.
  bool is_of_another(std::uint64_t epoch) const;
  /// After survey(): whether it is known which pages are in use. Else what lies in free ones may be taken for something that waits.
  bool knows_used() const noexcept { return knows_used_; }

  /// Finds out which pages are free: what lies in them is of the past. At most `pages` are read; true when it is done.
  bool survey(std::size_t pages);

  /// The cells of a page that are in use, those whose header is whole; ordered by `begin`. None if the page is free.
  std::vector<Cell> cells(std::uint32_t number) const;
  /// Nothing if its chain is broken. The segment's own CRC tells the rest.
  std::optional<std::vector<std::byte>> body(std::uint32_t number, const Cell& cell) const;

  /// Of one page: where its cell pointers make sense, they tell what is in use; where they do not, all that does not lie in
  /// the space that the page calls free.
  static std::vector<Cell> cells_of(std::span<const std::byte, kPageBytes> page);

 private:
  explicit DamagedFile(FileDescriptor file) : file_{std::move(file)} {}
  Result<void> read_log(const std::string& path);
  bool read(std::uint32_t number, Page& page) const;
  void survey_free_list(const Page& page);
  void survey_tree(const Page& page);
  bool mark(std::uint32_t number);

  FileDescriptor file_;
  FileDescriptor log_;
  std::uint32_t pages_ = 0;
  std::vector<std::uint64_t> frames_;  ///< committed ones, ordered by page, the newest of each first

  // The survey: the free list tells which pages are free. Where it is not whole, the tree of `body` tells which are not;
  // where that is not whole either, any page may be in use but those known to be free.
  enum class Stage : std::uint8_t { header, free_list, tree, done };
  Stage stage_ = Stage::header;
  std::vector<std::uint32_t> next_;
  std::uint64_t free_left_ = 0;
  bool is_whole_ = true;      ///< what is surveyed now
  bool by_tree_ = false;
  bool knows_used_ = false;
  std::vector<bool> free_;
  std::vector<bool> used_;
};

}  // namespace fieldpost
