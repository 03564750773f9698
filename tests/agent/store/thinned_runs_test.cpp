// SPDX-License-Identifier: Apache-2.0
// What salvage makes of it stands in salvage_test.cpp.
#include "agent/store/thinned_runs.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

using Verdict = ThinnedRuns::Verdict;

SegmentHeader original(std::uint64_t seq) {
  SegmentHeader header;
  header.epoch = 7;
  header.seq = header.first_seq = seq;
  header.lane = Lane::bulk;
  return header;
}

/// Of the numbers from `first` to `last`, which became two.
SegmentHeader part(std::uint64_t first, std::uint64_t last, std::uint8_t number) {
  SegmentHeader header = original(number == 1 ? last - 1 : last);
  if (number == 1) header.first_seq = first;
  header.is_thinned = true;
  header.part = {.first_seq = first, .last_seq = last, .number = number, .of = 2};
  return header;
}

TEST(ThinnedRuns, LeaveAloneWhatIsOfNoRun) {
  ThinnedRuns runs;
  runs.note_part(part(10, 20, 1));
  runs.note_part(part(10, 20, 2));
  runs.end_of_parts(true);
  EXPECT_EQ(runs.judge(original(9)), Verdict::take);
  EXPECT_EQ(runs.judge(original(21)), Verdict::take);
  SegmentHeader other = original(15);
  EXPECT_EQ(runs.judge(other), Verdict::leave);
  other.lane = Lane::live;
  EXPECT_EQ(runs.judge(other), Verdict::take);
  other = original(15);
  other.epoch = 8;
  EXPECT_EQ(runs.judge(other), Verdict::take);
}

TEST(ThinnedRuns, OfTwoThatShareANumberOneStays) {
  ThinnedRuns runs;
  runs.note_part(part(10, 20, 2));
  runs.note_part(part(10, 16, 1));
  runs.note_part(part(10, 16, 2));
  runs.end_of_parts(true);
  EXPECT_EQ(runs.judge(part(10, 16, 1)), Verdict::take);
  EXPECT_EQ(runs.judge(part(10, 16, 2)), Verdict::take);
  EXPECT_EQ(runs.judge(part(10, 20, 1)), Verdict::leave);
}

/// Originals lie in free pages for long; where nobody knows which pages those are, they prove nothing.
TEST(ThinnedRuns, GoByThePartsWhereItIsNotKnownWhatIsInUse) {
  for (const bool knows_used : {true, false}) {
    ThinnedRuns runs;
    runs.note_part(part(10, 20, 2));
    runs.end_of_parts(knows_used);
    runs.note_original(original(12));
    EXPECT_EQ(runs.judge(part(10, 20, 2)), knows_used ? Verdict::leave : Verdict::take);
    EXPECT_EQ(runs.judge(original(12)), knows_used ? Verdict::take_instead : Verdict::leave);
  }
}

TEST(ThinnedRuns, KnowSoManyAndTakeTheOthersPartsForThemselves) {
  ThinnedRuns runs;
  for (std::uint64_t i = 0; i <= ThinnedRuns::kRunsMax; ++i) runs.note_part(part(10 * i + 1, 10 * i + 9, 1));
  runs.end_of_parts(true);
  for (const std::uint64_t i : {ThinnedRuns::kRunsMax - 1, ThinnedRuns::kRunsMax}) runs.note_original(original(10 * i + 5));
  EXPECT_EQ(runs.judge(part(10 * (ThinnedRuns::kRunsMax - 1) + 1, 10 * (ThinnedRuns::kRunsMax - 1) + 9, 1)), Verdict::leave);
  EXPECT_EQ(runs.judge(part(10 * ThinnedRuns::kRunsMax + 1, 10 * ThinnedRuns::kRunsMax + 9, 1)), Verdict::take);
}

}  // namespace
}  // namespace fieldpost
