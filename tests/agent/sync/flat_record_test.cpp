// SPDX-License-Identifier: Apache-2.0
// Names, units, times and parts of flat records. What all of them say together is compared by message_formats_test.cpp.
#include "agent/sync/flat_record.hpp"

#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/manual_clock.hpp"

namespace fieldpost {
namespace {

const UtcOf kUnknown = [](const BootId&, BootTime) { return std::nullopt; };

struct Collected final : FlatRecordSink {
  void accept(const FlatRecord& record) override {
    names.push_back(std::string{record.series} + (record.attribute.empty() ? "" : "/" + std::string{record.attribute}));
    if (record.attribute.empty()) values.insert(record.number.integer());
  }
  std::vector<std::string> names;
  std::multiset<std::int64_t> values;
};

SegmentHeader header_of(const BootId& boot, seconds first, seconds last) {
  SegmentHeader header;
  header.boot = boot;
  header.first = BootTime{first};
  header.last = BootTime{last};
  return header;
}

TEST(FlatRecord, FoldsLabelsIntoTheName) {
  Series series;
  series.name = "node_filesystem_size_bytes";
  series.labels = {{"device", "/dev/sda1"}, {"mountpoint", "/"}, {"note", "a:b é"}};
  EXPECT_EQ(folded_name(series), "node_filesystem_size_bytes/device/:2Fdev:2Fsda1/mountpoint/:2F/note/a:3Ab:20:C3:A9");
}

TEST(FlatRecord, GivesADeviceANameThatSenmlAllows) {
  EXPECT_EQ(folded_device("gw-1.site_2"), "gw-1.site_2");
  EXPECT_EQ(folded_device("-gw"), "x:-gw");
}

TEST(FlatRecord, KnowsTheUnitsOfTheRegistryAndNoOthers) {
  EXPECT_EQ(senml_unit("celsius"), "Cel");
  EXPECT_EQ(senml_unit("revolutions per minute"), "1/min");
  EXPECT_EQ(senml_unit("frames"), "");
  EXPECT_EQ(senml_unit(""), "");
}

TEST(FlatRecord, TimeOfTheRunningBootIsNowLessItsAgeWhereUtcIsUnknown) {
  ManualClock clock;
  clock.advance(seconds{100});
  const SegmentHeader header = header_of(clock.boot_id(), seconds{clock.now().time_since_epoch().count() / 1'000'000'000 - 30}, seconds{0});
  const MessageTime time = time_of_first_reading(header, {"gw", kUnknown, clock});
  EXPECT_FALSE(time.known);
  EXPECT_NEAR(static_cast<double>(time.age_ms), 30'000, 1'000);
}

TEST(FlatRecord, TimeOfAnotherBootIsAsIfItsNewestReadingWereOfNow) {
  ManualClock clock;
  const MessageTime time = time_of_first_reading(header_of("another", seconds{5}, seconds{12}), {"gw", kUnknown, clock});
  EXPECT_FALSE(time.known);
  EXPECT_EQ(time.age_ms, 7'000);
}

TEST(FlatRecord, AUtcThatSenmlWouldTakeForRelativeIsUnknown) {
  ManualClock clock;
  const UtcOf in_1970 = [](const BootId&, BootTime) { return Store::UtcStamp{UtcTime{seconds{200'000'000}}, seconds{1}, true}; };
  EXPECT_FALSE(time_of_first_reading(header_of("another", seconds{5}, seconds{5}), {"gw", in_1970, clock}).known);
  const UtcOf in_1979 = [](const BootId&, BootTime) { return Store::UtcStamp{UtcTime{seconds{290'000'000}}, seconds{1}, true}; };
  EXPECT_EQ(time_of_first_reading(header_of("another", seconds{5}, seconds{5}), {"gw", in_1979, clock}).unix_ms, 290'000'000'000);
}

TEST(FlatRecord, PartsHaveEveryReadingOnceAndTellWhatTheyAre) {
  ManualClock clock;
  SegmentContent content;
  content.series.resize(3);
  for (std::uint32_t i = 0; i < 30; ++i) content.samples.push_back({static_cast<SeriesId>(i / 10), i, BootTime{seconds{i}}});
  const SegmentHeader header = header_of("another", seconds{0}, seconds{29});
  Collected all;
  for (std::uint32_t number = 0; number < 4; ++number) {
    Collected part;
    write_flat_records(header, content, {"gw", kUnknown, clock}, {number, 4}, part);
    EXPECT_EQ(part.names.front(), "fieldpost/epoch");
    EXPECT_NE(std::find(part.names.begin(), part.names.end(), "fieldpost/parts"), part.names.end());
    EXPECT_GE(part.values.size(), 7U);
    all.values.merge(part.values);
  }
  EXPECT_EQ(all.values.size(), 30U);
  EXPECT_EQ(std::set<std::int64_t>(all.values.begin(), all.values.end()).size(), 30U);
}

}  // namespace
}  // namespace fieldpost
