// SPDX-License-Identifier: Apache-2.0
// Which readings of an outbox that was set aside stand in it twice: once in the parts of what was thinned, and once in the
// segments that these were made of. Where damage, or a disk that ignores syncs, brought pages of two times together, the parts
// of a run and its originals can all be found; as each part shares the readings of all numbers, only all of one kind may come
// back. So salvage asks here, for each segment, before it takes it. Inside the room only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "agent/store/damaged_file.hpp"
#include "agent/store/segment.hpp"

namespace fieldpost {

class ThinnedRuns {
 public:
  /// Of 128 KiB a part they fill an outbox of a gigabyte. The parts of what comes behind them are taken for themselves.
  static constexpr std::size_t kRunsMax = 4'096;

  enum class Verdict : std::uint8_t {
    take,
    take_instead,  ///< of parts that were told as waiting, and do not come
    leave,         ///< its readings come otherwise
  };

  /// Looks at `pages` pages more; true when it has seen enough: all of them once, and again if a part is missing.
  bool survey(const DamagedFile& file, std::size_t pages);
  Verdict judge(const SegmentHeader& header) const;

  // What survey() does with a segment that is whole, and after the last one of the first round.
  void note_part(const SegmentHeader& header);
  void end_of_parts(bool knows_used);
  void note_original(const SegmentHeader& header);

 private:
  struct Run {
    Epoch epoch = 0;
    Lane lane{};
    SegmentHeader::Part part;         ///< but for its number
    std::uint64_t missing_parts = 0;  ///< a bit each
    bool has_originals = false;

    bool has(Epoch of_epoch, Lane of_lane, std::uint64_t first, std::uint64_t last) const {
      return epoch == of_epoch && lane == of_lane && part.first_seq <= last && first <= part.last_seq;
    }
    bool is_of_it(const SegmentHeader& header) const {
      return header.part.of == part.of && header.part.first_seq == part.first_seq && header.part.last_seq == part.last_seq;
    }
  };
  const Run* run_of(Epoch epoch, Lane lane, std::uint64_t first, std::uint64_t last) const;

  std::vector<Run> runs_;
  std::uint32_t page_ = 0;
  bool sees_originals_ = false;
};

}  // namespace fieldpost
