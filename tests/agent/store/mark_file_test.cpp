// SPDX-License-Identifier: Apache-2.0
// Two slots: whatever one write does to its slot, the marks before it are still there.
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "agent/store/marks.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

constexpr Marks kOlder{.epoch = 7, .newest_seq = 10, .newest_acknowledged = 4, .oldest_waiting = 5};
constexpr Marks kNewer{.epoch = 7, .newest_seq = 11, .newest_acknowledged = 6, .oldest_waiting = 7, .waiting = {1, 0, 300, 4}};

class MarkFileTest : public testing::Test {
 protected:
  std::string path() const { return directory_.file("marks"); }
  std::optional<Marks> read() const { return make_mark_file(path())->read().value(); }
  void write(const Marks& marks) const { ASSERT_TRUE(make_mark_file(path())->write(marks)); }

  TemporaryDirectory directory_;
};

TEST_F(MarkFileTest, HasNothingBeforeTheFirstWrite) { EXPECT_FALSE(read()); }

TEST_F(MarkFileTest, GivesBackTheNewestThroughOneObjectAndThroughMany) {
  const auto file = make_mark_file(path());
  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    Marks marks = kOlder;
    marks.newest_seq = seq;
    ASSERT_TRUE(file->write(marks));
    EXPECT_EQ(file->read().value(), marks);
    EXPECT_EQ(read(), marks);
  }
  write(kNewer);
  EXPECT_EQ(read(), kNewer);
}

TEST_F(MarkFileTest, WaitsForNobodyWhereAPipeTookItsPlaceAndReplacesIt) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0640), 0);
  EXPECT_FALSE(make_mark_file(path())->read());
  write(kOlder);
  EXPECT_EQ(read(), kOlder);
}

TEST_F(MarkFileTest, FallsBackToTheOlderSlotWhereverTheNewerIsDamaged) {
  write(kOlder);
  write(kNewer);
  const std::string whole = directory_.read("marks");
  int fell_back = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (i >= 80 && i < 4'096) continue;  // between the slots
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0xFF);
    directory_.write("marks", damaged);
    const auto found = read();
    ASSERT_TRUE(found) << "byte " << i;
    ASSERT_TRUE(*found == kOlder || *found == kNewer) << "byte " << i;
    if (*found == kOlder) ++fell_back;
  }
  EXPECT_EQ(fell_back, 80);
}

TEST_F(MarkFileTest, KnowsWhatWasHandedOutOnlyIfItCanBeSure) {
  Marks marks = kNewer;
  marks.handed_out.emplace();
  (*marks.handed_out)[0] = {{1, 2}};
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(HandedOut::kRangesMax); ++i) (*marks.handed_out)[2].push_back({i * 1'000'000, i * 1'000'000 + 7});
  write(marks);
  EXPECT_EQ(read(), marks);
  const std::string whole = directory_.read("marks");
  std::string damaged = whole;
  damaged[whole.size() - 20] = static_cast<char>(damaged[whole.size() - 20] ^ 1);
  directory_.write("marks", damaged);
  EXPECT_EQ(read(), kNewer);  // all the rest of it is right
  marks.handed_out.emplace();
  write(marks);
  EXPECT_EQ(read(), marks);  // of nothing, which is something else
  write(kNewer);              // as an agent writes it that knows nothing of this, over one that does
  write(kNewer);
  EXPECT_EQ(read(), kNewer);
}

TEST_F(MarkFileTest, SurvivesBeingCutAnywhere) {
  write(kOlder);
  write(kNewer);
  const std::string whole = directory_.read("marks");
  for (std::size_t length = 0; length < whole.size(); length += 61) {
    directory_.write("marks", whole.substr(0, length));
    const auto found = read();
    EXPECT_TRUE(!found || *found == kOlder || *found == kNewer) << length;
  }
}

TEST_F(MarkFileTest, GoesOnAfterBothSlotsWereDamaged) {
  write(kOlder);
  write(kNewer);
  directory_.write("marks", std::string(5'000, 'x'));
  EXPECT_FALSE(read());
  write(kNewer);
  EXPECT_EQ(read(), kNewer);
}

TEST_F(MarkFileTest, SaysThatADirectoryIsMissing) {
  const auto written = make_mark_file(directory_.file("not/there"))->write(kOlder);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind(), ErrorKind::NotPresent);
}

}  // namespace
}  // namespace fieldpost
