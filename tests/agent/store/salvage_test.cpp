// SPDX-License-Identifier: Apache-2.0
#include "agent/store/salvage.hpp"

#include <filesystem>
#include <map>
#include <set>

#include "platform/sqlite.hpp"
#include "tests/agent/store/outbox_fixture.hpp"
#include "tests/agent/store/store_fixture.hpp"

namespace fieldpost {
namespace {

class SalvageTest : public OutboxTest {
 protected:
  static constexpr std::int64_t kRowsTo = 1'000'000;
  static constexpr Epoch kNewEpoch = 77;

  /// What waits in the old outbox, which is set aside; the new one begins.
  void set_aside() {
    lost_ = {.epoch = kEpoch, .oldest_waiting = outbox_->oldest_waiting().value(), .newest_seq = outbox_->newest_seq()};
    for (const Lane lane : kLanes) {
      lost_.readings[index(lane)] = outbox_->waiting()[index(lane)].readings;
      for (const OutboxRow& row : rows(lane)) old_[{lane, row.row}] = row.bytes;
    }
    outbox_.reset();
    directory_.write("damaged.db", directory_.read("outbox.db"));
    options_.path = directory_.file("new.db");
    open();
    ASSERT_TRUE(Salvage::begin(*outbox_, directory_.file("damaged.db"), kRowsTo, lost_));
    resume();
    ASSERT_TRUE(outbox_->begin_epoch(kNewEpoch, kEpoch, {}, moment_));
  }

  void resume() {
    auto resumed = Salvage::resume(*outbox_);
    ASSERT_TRUE(resumed) << resumed.error().sentence();
    salvage_.reset();
    if (*resumed) salvage_.emplace(std::move(**resumed));
  }

  void step() {
    bool in_doubt = false;
    const auto stepped = salvage_->step(*outbox_, failures_, in_doubt);
    ASSERT_TRUE(stepped) << stepped.error().sentence();
  }

  void run() {
    for (int steps = 0; !salvage_->is_done(); ++steps) {
      ASSERT_LT(steps, 10'000);
      step();
    }
  }

  using Found = std::map<std::pair<Lane, std::int64_t>, std::vector<std::byte>>;
  Found found() {
    Found found;
    for (const Lane lane : kLanes) {
      for (const OutboxRow& row : rows(lane)) {
        if (row.header.epoch == kEpoch) found[{lane, row.row}] = row.bytes;
      }
    }
    return found;
  }

  void damage(const std::vector<std::byte>& segment) {
    std::string content = directory_.read("damaged.db");
    const auto at = content.find(std::string{reinterpret_cast<const char*>(segment.data()), 60});
    ASSERT_NE(at, std::string::npos);
    content[at + 50] = static_cast<char>(content[at + 50] ^ 0x20);
    directory_.write("damaged.db", content);
  }

  Salvage::Lost lost_;
  Salvage::Failures failures_;
  Found old_;
  std::optional<Salvage> salvage_;
};

TEST_F(SalvageTest, BringsBackAllThatIsWholeUnderItsRowAndNumbers) {
  for (int i = 0; i < 80; ++i) insert(kLanes[static_cast<std::size_t>(i) % 4], i % 9 == 0 ? 2'000 : 30);
  set_aside();
  run();
  EXPECT_EQ(found(), old_);
  EXPECT_EQ(salvage_->segments(), old_.size());
  EXPECT_EQ(salvage_->missing(), Salvage::Counts{});
  insert(Lane::live);
  EXPECT_GT(outbox_->newest_row(), kRowsTo);
  EXPECT_TRUE(reported().empty()) << "nothing is lost";
  open();
  EXPECT_EQ(found(), old_);
  resume();
  EXPECT_FALSE(salvage_) << "it is done once";
}

TEST_F(SalvageTest, HandsOutNothingBeforeItsEndAndWhatIsNewMeanwhile) {
  for (int i = 0; i < 300; ++i) insert(Lane::live, 500);
  set_aside();
  for (int steps = 0; salvage_->segments() == 0; ++steps) {
    ASSERT_LT(steps, 10);
    step();
  }
  ASSERT_FALSE(salvage_->is_done());
  insert(Lane::live);
  ASSERT_EQ(rows(Lane::live).size(), 1U);
  EXPECT_EQ(rows(Lane::live)[0].header.epoch, kNewEpoch);
  run();
  EXPECT_EQ(rows(Lane::live).size(), 301U);
}

TEST_F(SalvageTest, GoesOnAfterAnInterruptionAndDoublesNothing) {
  for (int i = 0; i < 600; ++i) insert(kLanes[static_cast<std::size_t>(i) % 4], 400);
  set_aside();
  for (int steps = 0; !salvage_->is_done(); ++steps) {
    ASSERT_LT(steps, 10'000);
    step();
    if (salvage_->is_done()) break;
    if (steps % 3 != 0) continue;
    open();
    resume();
    ASSERT_TRUE(salvage_);
    step();  // the surveys anew
    step();
    step();
  }
  EXPECT_EQ(found(), old_);
  EXPECT_EQ(salvage_->segments(), old_.size());
}

TEST_F(SalvageTest, TellsOnlyWhatDidNotComeBack) {
  for (int i = 0; i < 40; ++i) insert(i % 2 == 0 ? Lane::live : Lane::bulk, 100);
  set_aside();
  const auto victim = std::next(old_.begin(), 7);
  const auto header = decode_segment_header(victim->second).value();
  damage(victim->second);
  run();
  old_.erase(victim);
  EXPECT_EQ(found(), old_);
  EXPECT_TRUE(reported().empty()) << "not before the next commit";
  insert(Lane::alert);
  const auto gaps = reported();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].cause, Gap::Cause::damage);
  EXPECT_EQ(gaps[0].lane, header.lane);
  EXPECT_EQ(gaps[0].readings, header.readings());
  EXPECT_EQ(gaps[0].epoch, kEpoch);
  EXPECT_EQ(gaps[0].first_seq, header.seq);
  EXPECT_EQ(gaps[0].last_seq, header.seq);
}

TEST_F(SalvageTest, ARowThatIsWrongCostsItselfAndNotItsNeighbours) {
  for (std::int64_t wrong = 1; wrong < 30; ++wrong) {
    SCOPED_TRACE(wrong);
    old_.clear();
    options_.path = directory_.file("old" + std::to_string(wrong) + ".db");
    open();
    ASSERT_TRUE(outbox_->begin_epoch(kEpoch, 0, {}, moment_));
    for (int i = 0; i < 30; ++i) insert(Lane::live, 10);
    const auto segments = rows(Lane::live);
    const OutboxRow& damaged = segments[static_cast<std::size_t>(wrong - 1)];
    lost_ = {.epoch = kEpoch, .oldest_waiting = 1, .newest_seq = outbox_->newest_seq()};
    lost_.readings[index(Lane::live)] = 300;
    ASSERT_TRUE(outbox_->write_through());
    outbox_.reset();
    std::string content = directory_.read("old" + std::to_string(wrong) + ".db");
    const std::string segment{reinterpret_cast<const char*>(damaged.bytes.data()), 60};
    int copies = 0;  // pages that were split leave some behind
    for (auto at = content.find(segment); at != std::string::npos; at = content.find(segment, at + 1), ++copies) {
      ASSERT_EQ(content[at - 5], static_cast<char>(damaged.row));  // row, length of the record's header, key, two bytes of type
      content[at - 5] = 127;
    }
    ASSERT_GT(copies, 0);
    directory_.write("damaged.db", content);
    options_.path = directory_.file("new" + std::to_string(wrong) + ".db");
    open();
    ASSERT_TRUE(Salvage::begin(*outbox_, directory_.file("damaged.db"), kRowsTo, lost_));
    resume();
    ASSERT_TRUE(outbox_->begin_epoch(kNewEpoch, kEpoch, {}, moment_));
    run();
    std::set<std::uint64_t> seqs;
    for (const OutboxRow& row : rows(Lane::live)) {
      if (row.header.epoch == kEpoch) seqs.insert(row.header.seq);
    }
    EXPECT_GE(seqs.size(), 28U);
    insert(Lane::alert);
    const auto gaps = reported();
    ASSERT_EQ(gaps.size(), 1U);
    EXPECT_EQ(gaps[0].readings, 300 - 10 * seqs.size());
  }
}

TEST_F(SalvageTest, TellsAllAsLostWhereTheFileHasGone) {
  for (int i = 0; i < 4; ++i) insert(Lane::live, 10);
  set_aside();
  directory_.write("damaged.db", "");
  run();
  insert(Lane::alert);
  const auto gaps = reported();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].readings, 40U);
  EXPECT_EQ(gaps[0].first_seq, 1U);
  EXPECT_EQ(gaps[0].last_seq, 4U);
}

/// However often it failed for want of room.
TEST_F(SalvageTest, DropsNoMoreThanAFewForRoom) {
  options_.quota_bytes = 1 << 20;
  open();
  ASSERT_TRUE(outbox_->begin_epoch(kEpoch, 0, {}, moment_));
  for (int i = 0; i < 100; ++i) insert(Lane::live, 100);
  set_aside();
  for (int i = 0; i < 10; ++i) insert(Lane::alert, 100);
  failures_ = {.count = 300, .full = 300};
  run();
  EXPECT_EQ(rows(Lane::alert).size(), 10U);
  EXPECT_EQ(found().size(), old_.size());
}

TEST_F(SalvageTest, FindsItsFileInADirectoryThatWasMoved) {
  for (int i = 0; i < 10; ++i) insert(Lane::live, 10);
  set_aside();
  ASSERT_TRUE(outbox_->write_through());
  outbox_.reset();
  std::filesystem::create_directory(directory_.file("moved"));
  for (const char* name : {"damaged.db", "new.db", "new.db-wal"}) {
    if (directory_.exists(name)) std::filesystem::rename(directory_.file(name), directory_.file(std::string{"moved/"} + name));
  }
  options_.path = directory_.file("moved/new.db");
  open();
  resume();
  ASSERT_TRUE(salvage_);
  run();
  EXPECT_EQ(found(), old_);
}

TEST_F(SalvageTest, LeavesOutWhatIsInMemoryStill) {
  for (int i = 0; i < 10; ++i) insert(Lane::live, 10);
  set_aside();
  lost_.unsure_epoch = kEpoch;
  lost_.unsure_after = 8;
  lost_.newest_seq = 8;
  ASSERT_TRUE(Salvage::begin(*outbox_, directory_.file("damaged.db"), kRowsTo, lost_));
  resume();
  run();
  EXPECT_EQ(salvage_->segments(), 8U);
}

TEST_F(SalvageTest, LeavesOutWhatIsKnownToBeAcknowledged) {
  for (int i = 0; i < 10; ++i) insert(Lane::live, 10);
  set_aside();
  // As if a page of before had come back with the damage.
  lost_.oldest_waiting = 4;
  ASSERT_TRUE(Salvage::begin(*outbox_, directory_.file("damaged.db"), kRowsTo, lost_));
  resume();
  run();
  EXPECT_EQ(salvage_->segments(), 7U);
}

/// It was on its way when the outbox was set aside.
TEST_F(SalvageTest, LeavesOutWhatIsAcknowledgedBeforeItCameBackAndCountsItNotAsLost) {
  for (int i = 0; i < 10; ++i) insert(Lane::live, 10);
  set_aside();
  const auto gone = std::next(old_.begin(), 3);
  for (const std::int64_t row : {gone->first.second, std::int64_t{5'000}}) {
    ASSERT_TRUE(apply({.acknowledged = {{Lane::live, row}}, .given_up = {}, .gaps = {}, .segments = {}}));
  }
  open();
  resume();
  run();
  old_.erase(gone);
  EXPECT_EQ(found(), old_);
  insert(Lane::alert);
  EXPECT_TRUE(reported().empty());
  EXPECT_EQ(rows(Lane::live).size(), 9U);
  open();
  resume();
  EXPECT_FALSE(salvage_) << "nothing of it is left";
}

/// Both are found where damage has brought pages of two times together; the readings must not come twice.
TEST_F(SalvageTest, TakesOfMergedSegmentsAndWhatTheyWereMadeOfTheWiderOne) {
  for (const bool merged_first : {true, false}) {
    SCOPED_TRACE(merged_first);
    options_.path = directory_.file(merged_first ? "old1.db" : "old2.db");
    open();
    ASSERT_TRUE(outbox_->begin_epoch(kEpoch, 0, {}, moment_));
    for (int i = 0; i < 6; ++i) insert(Lane::live, 10);
    auto originals = rows(Lane::live);
    EncodedSegment merged{originals[4].header, {}};
    merged.header.first_seq = 2;
    merged.bytes = encode_segment(merged.header, decode_segment_content(originals[4].bytes).value()).value();
    outbox_.reset();
    {
      // The cells of a page are found from its lowest byte on, where the latest stands.
      auto database = Sqlite::open(options_.path, {});
      auto add = database->prepare("INSERT OR REPLACE INTO body(row, bytes) VALUES(?, ?)");
      const auto put = [&add](std::int64_t row, const std::vector<std::byte>& bytes) {
        add->bind(1, row);
        add->bind(2, std::span<const std::byte>{bytes});
        EXPECT_TRUE(add->run());
      };
      ASSERT_TRUE(database->execute("DELETE FROM body WHERE row BETWEEN 2 AND 5"));
      if (!merged_first) put(5, merged.bytes);
      for (int row = 2; row <= 4; ++row) put(row, originals[static_cast<std::size_t>(row) - 1].bytes);
      if (merged_first) put(5, merged.bytes);
    }
    directory_.write("damaged.db", directory_.read(merged_first ? "old1.db" : "old2.db"));
    options_.path = directory_.file(merged_first ? "new1.db" : "new2.db");
    open();
    ASSERT_TRUE(Salvage::begin(*outbox_, directory_.file("damaged.db"), kRowsTo, {.epoch = kEpoch, .oldest_waiting = 1, .newest_seq = 6}));
    resume();
    run();
    std::vector<std::uint64_t> seqs;
    for (const OutboxRow& row : rows(Lane::live)) seqs.push_back(row.header.seq);
    EXPECT_EQ(seqs, (std::vector<std::uint64_t>{1, 5, 6}));
    open();  // in order, or it would be taken for damaged
    EXPECT_EQ(rows(Lane::live).size(), 3U);
  }
}

/// Of a run 2 to 5 that became two parts, 4 and 5.
class SalvageOfPartsTest : public SalvageTest {
 protected:
  void SetUp() override {
    SalvageTest::SetUp();
    for (int i = 0; i < 6; ++i) insert(Lane::live, 10);
    originals_ = rows(Lane::live);
    outbox_.reset();
    auto database = Sqlite::open(options_.path, {});
    ASSERT_TRUE(database->execute("DELETE FROM body WHERE row BETWEEN 2 AND 5"));
  }

  void put(std::int64_t row, const std::vector<std::byte>& bytes) const {
    auto database = Sqlite::open(options_.path, {});
    auto add = database->prepare("INSERT OR REPLACE INTO body(row, bytes) VALUES(?, ?)");
    add->bind(1, row);
    add->bind(2, std::span<const std::byte>{bytes});
    EXPECT_TRUE(add->run());
  }
  void put_original(std::int64_t row) const { put(row, originals_[static_cast<std::size_t>(row) - 1].bytes); }
  void put_part(std::uint8_t number) const {
    const OutboxRow& place = originals_[number + 2U];
    SegmentHeader header = place.header;
    header.is_thinned = true;
    header.first_seq = number == 1 ? 2 : header.seq;
    header.part = {.first_seq = 2, .last_seq = 5, .number = number, .of = 2};
    put(place.row, encode_segment(header, decode_segment_content(place.bytes).value()).value());
  }

  /// Numbers that come back; those of parts are negative.
  std::vector<int> salvaged() {
    directory_.write("damaged.db", directory_.read("outbox.db"));
    options_.path = directory_.file("new.db");
    open();
    Salvage::Lost lost{.epoch = kEpoch, .oldest_waiting = 1, .newest_seq = 6};
    lost.readings[index(Lane::live)] = 40;
    EXPECT_TRUE(Salvage::begin(*outbox_, directory_.file("damaged.db"), kRowsTo, lost));
    resume();
    EXPECT_TRUE(outbox_->begin_epoch(kNewEpoch, kEpoch, {}, moment_));
    run();
    std::vector<int> seqs;
    for (const OutboxRow& row : rows(Lane::live)) seqs.push_back(row.header.part.of > 0 ? -static_cast<int>(row.header.seq) : static_cast<int>(row.header.seq));
    insert(Lane::alert);
    return seqs;
  }

  std::vector<OutboxRow> originals_;
};

TEST_F(SalvageOfPartsTest, TakesThePartsThatAreAllThereAndNotWhatTheyWereMadeOf) {
  for (const std::int64_t row : {2, 3}) put_original(row);
  for (const std::uint8_t part : {std::uint8_t{1}, std::uint8_t{2}}) put_part(part);
  EXPECT_EQ(salvaged(), (std::vector<int>{1, -4, -5, 6}));
  EXPECT_TRUE(reported().empty());
}

TEST_F(SalvageOfPartsTest, TakesWhatTheyWereMadeOfWhereAPartIsMissingAndTellsTheRest) {
  for (const std::int64_t row : {2, 3, 4}) put_original(row);
  put_part(2);
  EXPECT_EQ(salvaged(), (std::vector<int>{1, 2, 3, 4, 6}));
  const auto gaps = reported();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].readings, 20U) << "of both parts, which the marks count as waiting";
  EXPECT_EQ(gaps[0].first_seq, 5U);
  EXPECT_EQ(gaps[0].last_seq, 5U);
}

/// The other was acknowledged, or is lost.
TEST_F(SalvageOfPartsTest, TakesAPartForItselfWhereNothingElseIsThere) {
  put_part(2);
  EXPECT_EQ(salvaged(), (std::vector<int>{1, -5, 6}));
  const auto gaps = reported();
  ASSERT_EQ(gaps.size(), 1U);
  EXPECT_EQ(gaps[0].readings, 10U);
}

class SalvageInStoreTest : public StoreTest {};

/// Pages of the tree of short rows were lost or changed places: SQLite finds nothing wrong with it.
TEST_F(SalvageInStoreTest, SetsAsideAnOutboxWhoseRowsVanishedAndBringsTheirSegmentsBack) {
  open();
  for (int i = 0; i < 20; ++i) {
    add_samples(Lane::live);
    ASSERT_TRUE(flush());
  }
  const std::size_t before = fetch_all().size();
  store_->close();
  store_.reset();
  {
    auto database = Sqlite::open(directory_.file("state/outbox.db"), {});
    ASSERT_TRUE(database->execute("DELETE FROM segment WHERE row BETWEEN 3 AND 17"));
  }
  open();
  int told = 0;
  store_->on_salvaged([&told] { ++told; });
  ASSERT_TRUE(flush());
  ASSERT_TRUE(loop_.run_until([this, &told] {
    clock_.advance(milliseconds{20});
    loop_.advance(milliseconds{20});
    return told > 0;
  }));
  EXPECT_EQ(store_->status().salvaged_segments, before);
  EXPECT_EQ(sum(store_->status().dropped_readings), 0U);
}

TEST_F(SalvageInStoreTest, StartsAtOnceAndBringsBackWhatWaitsInTheBackground) {
  open();
  for (int i = 0; i < 20; ++i) {
    add_samples(i % 2 == 0 ? Lane::live : Lane::bulk);
    ASSERT_TRUE(flush());
  }
  std::map<std::pair<Epoch, std::uint64_t>, std::vector<std::byte>> before;
  for (auto& segment : fetch_all()) before[{segment.header.epoch, segment.header.seq}] = segment.bytes;
  ASSERT_GE(before.size(), 20U);
  store_->close();
  store_.reset();
  std::string content = directory_.read("state/outbox.db");
  for (std::size_t at = 16; at < 24; ++at) content[at] = 'x';  // page size, versions: SQLite has none of it
  directory_.write("state/outbox.db", content);
  open();
  int told = 0;
  store_->on_salvaged([&told] { ++told; });
  add_samples();
  ASSERT_TRUE(flush());
  ASSERT_TRUE(loop_.run_until([this, &told] {
    clock_.advance(milliseconds{20});
    loop_.advance(milliseconds{20});
    return told > 0;
  }));
  const StoreStatus status = store_->status();
  EXPECT_FALSE(status.is_salvaging);
  EXPECT_EQ(status.salvaged_segments, before.size());
  EXPECT_EQ(sum(status.dropped_readings), 0U);
  ASSERT_TRUE(flush());  // the report, if there were one, and the event
  std::set<std::string> events;
  std::uint64_t found = 0;
  for (const auto& segment : fetch_all()) {
    const auto known = before.find({segment.header.epoch, segment.header.seq});
    if (known != before.end()) {
      EXPECT_EQ(known->second, segment.bytes);
      ++found;
    }
    const auto decoded = decode_segment_content(segment.bytes);
    for (const Event& event : decoded->events) events.insert(event.name);
    EXPECT_TRUE(decoded->gaps.empty());
  }
  EXPECT_EQ(found, before.size());
  EXPECT_TRUE(events.contains("outbox_set_aside"));
  ASSERT_TRUE(flush());
  EXPECT_EQ(log_.count("outbox salvaged"), 1U);
}

}  // namespace
}  // namespace fieldpost
