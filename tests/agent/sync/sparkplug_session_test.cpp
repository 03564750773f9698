// SPDX-License-Identifier: Apache-2.0
// The order of birth, data and death on a link, with a real store and sync around it.
#include "agent/sync/sparkplug_session.hpp"

#include <string>
#include <vector>

#include "agent/sync/protobuf.hpp"
#include "platform/durable_file.hpp"
#include "tests/agent/sync/sync_ground.hpp"

namespace fieldpost {
namespace {

using protobuf::Reader;

/// As the field of a payload; -1 if it has none.
std::int64_t seq_of(const std::string& payload) {
  Reader reader{payload};
  while (reader.next()) {
    if (reader.field() == 3) return static_cast<std::int64_t>(reader.number().value_or(0));
  }
  return -1;
}

std::int64_t bd_seq_of(const std::string& payload) {
  Reader reader{payload};
  while (reader.next()) {
    if (reader.field() != 2) continue;
    Reader metric{*reader.bytes()};
    bool is_it = false;
    while (metric.next()) {
      if (metric.field() == 1) is_it = metric.bytes() == "bdSeq";
      if (is_it && metric.field() == 11) return static_cast<std::int64_t>(metric.number().value_or(0));
    }
  }
  return -1;
}

std::string rebirth_command() {
  std::string metric;
  protobuf::put_bytes(metric, 1, "Node Control/Rebirth");
  protobuf::put_number(metric, 14, 1);
  std::string payload;
  protobuf::put_bytes(payload, 2, metric);
  return payload;
}

class SparkplugSessionTest : public SyncTest {
 protected:
  void begin(std::string primary_host = {}) {
    make_sync({.device = "gw",
               .payload = {.format = PayloadOptions::Format::sparkplug_b},
               .sparkplug = {.group = "plant", .primary_host = std::move(primary_host), .file = directory_.file("bdseq")}});
  }

  /// "NBIRTH", "NDATA", ... of everything published; acknowledged as it is seen.
  std::vector<std::string> kinds() {
    for (const auto& one : link_.in_flight) {
      const std::string& topic = one.message.topic;
      EXPECT_TRUE(topic.starts_with("spBv1.0/plant/") && topic.ends_with("/gw")) << topic;
      EXPECT_EQ(one.message.qos, 1);
      EXPECT_FALSE(one.message.retain);
      seen_.push_back(topic.substr(14, topic.size() - 17));
      payloads_.push_back(one.message.payload);
    }
    link_.settle_all();
    return seen_;
  }

  bool reaches(std::size_t count) {
    return loop_.run_until([&] { return kinds().size() >= count; });
  }

  using Kinds = std::vector<std::string>;
  Kinds seen_;
  std::vector<std::string> payloads_;
};

TEST_F(SparkplugSessionTest, IsBornBeforeAnyDataAndAgainForANewSeries) {
  store_segment(Lane::live, 1);
  begin();
  const LinkOptions::Will will = link_.next_will();
  EXPECT_EQ(will.topic, "spBv1.0/plant/NDEATH/gw");
  EXPECT_EQ(will.qos, 1);
  EXPECT_FALSE(will.retain);
  link_.start();
  ASSERT_TRUE(reaches(3));
  EXPECT_EQ(seen_, (Kinds{"NBIRTH", "NBIRTH", "NDATA"}));
  EXPECT_EQ(bd_seq_of(payloads_[0]), bd_seq_of(will.payload));
  EXPECT_EQ(seq_of(payloads_[1]), 0);
  EXPECT_EQ(seq_of(payloads_[2]), 1);
  EXPECT_EQ(seq_of(will.payload), -1);
}

TEST_F(SparkplugSessionTest, CountsSeqTo255AndBeginsAnew) {
  begin();
  link_.start();
  for (std::size_t i = 0; i < 260; ++i) {
    store_segment(Lane::live, static_cast<int>(i));
    ASSERT_TRUE(reaches(i + 3));
  }
  for (std::size_t i = 2; i < seen_.size(); ++i) {
    EXPECT_EQ(seen_[i], "NDATA");
    EXPECT_EQ(seq_of(payloads_[i]), static_cast<std::int64_t>((i - 1) % 256));
  }
}

TEST_F(SparkplugSessionTest, IsBornAgainWhenAHostAsks) {
  store_segment();
  begin();
  link_.start();
  ASSERT_TRUE(reaches(3));
  link_.deliver("spBv1.0/plant/NCMD/gw", rebirth_command());
  ASSERT_TRUE(reaches(4));
  store_segment();
  ASSERT_TRUE(reaches(5));
  EXPECT_EQ(seen_, (Kinds{"NBIRTH", "NBIRTH", "NDATA", "NBIRTH", "NDATA"}));
  EXPECT_EQ(seq_of(payloads_[4]), 1);
  EXPECT_EQ(bd_seq_of(payloads_[3]), bd_seq_of(payloads_[0]));
}

TEST_F(SparkplugSessionTest, TakesTheNextNumberForEachConnectionAlsoOverARestart) {
  begin();
  EXPECT_EQ(bd_seq_of(link_.next_will().payload), 0);
  link_.start();
  ASSERT_TRUE(reaches(1));
  link_.lose_connection();
  EXPECT_EQ(bd_seq_of(link_.next_will().payload), 1);
  link_.start();
  ASSERT_TRUE(reaches(2));
  EXPECT_EQ(bd_seq_of(payloads_[1]), 1);
  ASSERT_TRUE(loop_.run_until([this] { return read_file(directory_.file("bdseq"), 10).value_or("") == "2"; }));
  sync_.reset();
  begin();
  EXPECT_EQ(bd_seq_of(link_.next_will().payload), 2);
}

TEST_F(SparkplugSessionTest, NumberAfter255Is0) {
  directory_.write("bdseq", "255");
  begin();
  EXPECT_EQ(bd_seq_of(link_.next_will().payload), 255);
  EXPECT_EQ(bd_seq_of(link_.next_will().payload), 0);
}

TEST_F(SparkplugSessionTest, SaysDeathBeforeAnOrderlyEnd) {
  begin();
  link_.next_will();
  link_.start();
  ASSERT_TRUE(reaches(1));
  sync_->stop();
  EXPECT_TRUE(sync_->is_leaving());
  EXPECT_EQ(kinds().back(), "NDEATH");
  EXPECT_EQ(seq_of(payloads_.back()), -1);
  EXPECT_FALSE(sync_->is_leaving());
}

TEST_F(SparkplugSessionTest, SendsNothingBeforeThePrimaryHostIsOnline) {
  store_segment();
  begin("scada");
  link_.start();
  loop_.run_ready();
  EXPECT_TRUE(kinds().empty());
  link_.deliver("spBv1.0/STATE/scada", R"({"online":false,"timestamp":5})");
  loop_.run_ready();
  EXPECT_TRUE(kinds().empty());
  link_.deliver("spBv1.0/STATE/scada", R"({"online":true,"timestamp":5})");
  ASSERT_TRUE(reaches(2));
  EXPECT_EQ(seen_.front(), "NBIRTH");
}

TEST_F(SparkplugSessionTest, LeavesTheConnectionWhenThePrimaryHostGoes) {
  begin("scada");
  link_.start();
  link_.deliver("spBv1.0/STATE/scada", R"({"online":true,"timestamp":5})");
  ASSERT_TRUE(reaches(1));
  link_.deliver("spBv1.0/STATE/scada", R"({"online":false,"timestamp":4})");
  EXPECT_EQ(kinds().size(), 1U) << "an older word than the last";
  link_.deliver("spBv1.0/STATE/scada", R"({"online":false,"timestamp":6})");
  EXPECT_EQ(kinds().back(), "NDEATH");
  const std::size_t starts = link_.starts;
  ASSERT_TRUE(loop_.run_until([&] { return link_.starts > starts; }));
  store_segment();
  loop_.run_ready();
  EXPECT_EQ(kinds().back(), "NDEATH") << "connected anew, and waiting for the host";
}

TEST_F(SparkplugSessionTest, IsBornAgainAfterDataThatTheBrokerRefused) {
  store_segment();
  begin();
  link_.start();
  ASSERT_TRUE(loop_.run_until([this] { return link_.in_flight.size() == 3; }));
  link_.settle_oldest();
  link_.settle_oldest();
  link_.settle_oldest(Error{ErrorKind::Denied, "not authorised"});
  loop_.advance(Sync::kRefusedPause);
  ASSERT_TRUE(reaches(2));
  EXPECT_EQ(seen_, (Kinds{"NBIRTH", "NDATA"}));
}

TEST_F(SparkplugSessionTest, HoldsDataBackWhileTheBirthIsRefusedAndSaysSo) {
  store_segment();
  begin();
  link_.bytes_max = 100;
  link_.start();
  loop_.run_ready();
  EXPECT_TRUE(kinds().empty());
  EXPECT_NE(sync_->status().last_error[index(Lane::live)].find("NBIRTH"), std::string::npos);
  link_.bytes_max = 100'000;
  loop_.advance(SparkplugSession::kRefusedPause);
  ASSERT_TRUE(reaches(2));
  EXPECT_EQ(sync_->status().last_error[index(Lane::live)], "");
}

}  // namespace
}  // namespace fieldpost
