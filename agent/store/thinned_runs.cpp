// SPDX-License-Identifier: Apache-2.0
// Parts win where all of them are there, and where nobody knows which pages of the file are in use: what was thinned lies on in
// free ones. Originals win over parts that are not all there, for they say what they say by themselves. Where there are none,
// the other parts were acknowledged or are lost, and those that are there come.
#include "agent/store/thinned_runs.hpp"

#include <algorithm>
#include <bit>

namespace fieldpost {

bool ThinnedRuns::survey(const DamagedFile& file, std::size_t pages) {
  for (; pages > 0 && page_ < file.pages(); --pages) {
    ++page_;
    for (const auto& cell : file.cells(page_)) {
      const bool is_part = kSegmentHeaderBytesOf[cell.version] == kSegmentHeaderBytesMax;
      if (is_part == sees_originals_ || (!is_part && run_of(cell.epoch, static_cast<Lane>(cell.lane), cell.seq, cell.seq) == nullptr)) continue;
      const auto bytes = file.body(page_, cell);
      const auto header = decode_segment_header(bytes ? std::span<const std::byte>{*bytes} : std::span<const std::byte>{});
      if (!header) continue;
      is_part ? note_part(*header) : note_original(*header);
    }
  }
  if (page_ < file.pages()) return false;
  if (sees_originals_) return true;
  end_of_parts(file.knows_used());
  page_ = 0;
  sees_originals_ = true;
  return std::all_of(runs_.begin(), runs_.end(), [](const Run& run) { return run.missing_parts == 0; });
}

void ThinnedRuns::note_part(const SegmentHeader& header) {
  auto run = std::find_if(runs_.begin(), runs_.end(), [&header](const Run& one) {
    return one.epoch == header.epoch && one.lane == header.lane && one.is_of_it(header);
  });
  if (run == runs_.end()) {
    if (runs_.size() >= kRunsMax) return;
    runs_.push_back({.epoch = header.epoch, .lane = header.lane, .part = header.part, .missing_parts = ~std::uint64_t{0} >> (kSegmentPartsMax - header.part.of)});
    run = std::prev(runs_.end());
  }
  run->missing_parts &= ~(std::uint64_t{1} << (header.part.number - 1U));
}

/// Of two runs of which one number is in both, the one was made where the other had been forgotten.
void ThinnedRuns::end_of_parts(bool knows_used) {
  std::sort(runs_.begin(), runs_.end(), [](const Run& a, const Run& b) { return std::popcount(a.missing_parts) < std::popcount(b.missing_parts); });
  std::vector<Run> found;
  found.swap(runs_);
  for (Run& run : found) {
    if (!knows_used) run.missing_parts = 0;
    if (run_of(run.epoch, run.lane, run.part.first_seq, run.part.last_seq) == nullptr) runs_.push_back(run);
  }
}

void ThinnedRuns::note_original(const SegmentHeader& header) {
  for (Run& run : runs_) {
    run.has_originals |= run.has(header.epoch, header.lane, header.first_seq, header.seq);
  }
}

const ThinnedRuns::Run* ThinnedRuns::run_of(Epoch epoch, Lane lane, std::uint64_t first, std::uint64_t last) const {
  const auto run = std::find_if(runs_.begin(), runs_.end(), [&](const Run& one) { return one.has(epoch, lane, first, last); });
  return run == runs_.end() ? nullptr : &*run;
}

ThinnedRuns::Verdict ThinnedRuns::judge(const SegmentHeader& header) const {
  const Run* run = run_of(header.epoch, header.lane, header.first_seq, header.seq);
  if (run == nullptr) return Verdict::take;
  if (run->missing_parts != 0 && run->has_originals) return header.part.of > 0 ? Verdict::leave : Verdict::take_instead;
  return run->is_of_it(header) ? Verdict::take : Verdict::leave;
}

}  // namespace fieldpost
