// SPDX-License-Identifier: Apache-2.0
// Every metric of self_metrics.hpp is given by somebody, and the counts are those of the stages.
#include "agent/wiring_parts.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>

#include "agent/self/self_metrics.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

class WiringPartsTest : public testing::Test {
 protected:
  SeriesId add(std::string name) {
    Series series;
    series.name = std::move(name);
    return series_.add(std::move(series)).value();
  }
  Stages stages() const { return {schedule_, series_, filter_, aggregate_, rules_, store_, nullptr, nullptr, certificate_}; }
  static SeriesPolicies policies() {
    SeriesEntry bulk;
    bulk.match = "bulk_*";
    bulk.lane = Lane::bulk;
    return SeriesPolicies{{bulk}};
  }

  std::optional<DeviceCertificate> certificate_;
  TemporaryDirectory directory_;
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
  FileTree tree_;
  SeriesTable series_;
  SeriesPolicies policies_ = policies();
  Store store_{loop_, log_.log(), series_, {.directory = directory_.path()}};
  StoreSink sink_{store_, series_, policies_};
  Rules rules_{series_, {}, sink_, sink_};
  Aggregate aggregate_{series_, [](const Series&) { return AggregateOptions{}; }, rules_};
  Filter filter_{series_, [](const Series&) { return FilterOptions{}; }, aggregate_};
  SourceSchedule schedule_{loop_, log_.log(), tree_, series_, filter_};
};

TEST_F(WiringPartsTest, PutsReadingsIntoTheLaneOfTheirSeries) {
  sink_.accept({add("live_a"), 1, clock_.now()});
  sink_.accept({add("bulk_a"), 2, clock_.now()});
  sink_.accept({add("bulk_b"), 3, clock_.now()});
  bool flushed = false;
  store_.flush([&](const Result<void>& result) { flushed = static_cast<bool>(result); });
  ASSERT_TRUE(loop_.run_until([&] { return flushed; }));
  const StoreStatus status = store_.status();
  EXPECT_EQ(status.waiting_readings[2], 1U);
  EXPECT_EQ(status.waiting_readings[3], 2U);
}

TEST_F(WiringPartsTest, CountsWhatTheFilterDropped) {
  filter_.accept({add("a"), std::numeric_limits<double>::quiet_NaN(), clock_.now()});
  StatusDocument document;
  fill_status(document, stages(), clock_.now());
  const auto drop = std::find_if(document.drops.begin(), document.drops.end(),
                                 [](const auto& each) { return each.reason == "not_finite"; });
  ASSERT_NE(drop, document.drops.end());
  EXPECT_EQ(drop->count, 1U);
  EXPECT_FALSE(document.link.configured);
  EXPECT_EQ(document.series, 1U);
}

TEST_F(WiringPartsTest, GivesEveryFigureOnce) {
  std::set<std::string> seen;
  for (const SelfFigure& figure : self_figures(stages(), clock_.now())) {
    std::string key{figure.metric->name};
    for (const Label& label : figure.labels) key += "," + label.value;
    EXPECT_TRUE(seen.insert(key).second) << key;
  }
  for (const Metric* metric : {&self::kSeries, &self::kSamplesRead, &self::kOutboxBytes, &self::kCpu,
                               &self::kResident, &self::kDescriptors, &self::kDurable}) {
    EXPECT_TRUE(seen.contains(std::string{metric->name})) << metric->name;
  }
  EXPECT_TRUE(seen.contains("fieldpost_samples_dropped_total,out_of_range"));
  EXPECT_TRUE(seen.contains("fieldpost_samples_withheld_total,deadband"));
  EXPECT_TRUE(seen.contains("fieldpost_outbox_waiting_readings,alert"));
}

TEST_F(WiringPartsTest, SaysUntilWhenTheCertificateIsValid) {
  const auto end = [this]() -> std::optional<Value> {
    for (const SelfFigure& figure : self_figures(stages(), clock_.now())) {
      if (figure.metric == &self::kCertificateEnd) return figure.value;
    }
    return std::nullopt;
  };
  EXPECT_FALSE(end());
  certificate_.emplace().not_after = *from_rfc3339("2027-01-01T00:00:00.5Z");
  ASSERT_TRUE(end());
  EXPECT_EQ(end()->integer(), 1'798'761'600);
}

TEST(WiringSyncOptions, PlainHasNoLimitsButItsOwn) {
  Configuration configuration;
  configuration.device_name = "gw-1";
  configuration.topic_prefix = "fp";
  const SyncOptions options = sync_options(configuration);
  EXPECT_FALSE(options.topic);
  EXPECT_EQ(options.limits.per_second, 0);
  EXPECT_EQ(options.limits.messages_per_second, 0);
}

TEST(WiringSyncOptions, ACloudsLimitsHoldUnlessTheConfiguredOnesAreTighter) {
  Configuration configuration;
  configuration.device_name = "gw-1";
  configuration.topic_prefix = "fp";
  configuration.cloud.profile = CloudOptions::Profile::aws;
  configuration.cloud.ingest_rule = "R";
  SyncOptions options = sync_options(configuration);
  EXPECT_EQ(options.topic("live", "application/json"), "$aws/rules/R/fp/gw-1/live");
  EXPECT_EQ(options.limits.messages_per_second, 80);
  EXPECT_EQ(options.limits.per_second, 419'430);
  EXPECT_LE(options.message_bytes_max, std::size_t{128} * 1024);
  configuration.byte_limits.per_second = 1'000;
  EXPECT_EQ(sync_options(configuration).limits.per_second, 1'000);
}

}  // namespace
}  // namespace fieldpost
