// SPDX-License-Identifier: Apache-2.0
// The simulated driver gives what its options promise, and the same again.
#include "hal/simulated/simulated.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace fieldpost {
namespace {

using std::chrono::seconds;

struct SampleList final : SampleSink {
  std::vector<Sample> samples;
  void accept(const Sample& sample) override { samples.push_back(sample); }
};

class Simulated : public testing::Test {
 protected:
  using Values = std::map<std::string, OptionValue, std::less<>>;

  Result<std::unique_ptr<Source>> open(Values values) {
    const OptionValues options{std::move(values)};
    return open_simulated({tree_, table_, options, "made_up"});
  }

  std::vector<Sample> read(Source& source, seconds at) {
    SampleList list;
    const auto result = source.read(list, BootTime{at});
    EXPECT_TRUE(result) << result.error().sentence();
    return list.samples;
  }

  FileTree tree_{"/nowhere"};
  SeriesTable table_;
};

TEST_F(Simulated, NamesItsSeriesByInstanceShapeAndIndex) {
  const auto source = open({{"shape", std::string{"noise"}}, {"series", std::int64_t{2}}});
  ASSERT_TRUE(source);
  ASSERT_EQ(table_.size(), 2U);
  EXPECT_EQ(to_text(table_.all()[1]),
            R"(fieldpost_simulated_value{instance="made_up",shape="noise",index="1"})");
  EXPECT_EQ(table_.all()[1].kind, SeriesKind::gauge);
}

TEST_F(Simulated, ARampIsACounterThatGrowsByOneARead) {
  const auto source = open({{"shape", std::string{"ramp"}},
                            {"start", std::int64_t{1'000'000'000'000}},
                            {"series", std::int64_t{3}}});
  ASSERT_TRUE(source);
  EXPECT_EQ(table_.all()[0].kind, SeriesKind::counter);
  for (std::int64_t i = 0; i < 5; ++i) {
    // The time does not matter: a missed tick is not a hole.
    const auto samples = read(**source, seconds{i * i});
    ASSERT_EQ(samples.size(), 3U);
    for (const Sample& sample : samples) {
      ASSERT_TRUE(sample.value.is_integer());
      EXPECT_EQ(sample.value.integer(), 1'000'000'000'000 + i);
      EXPECT_EQ(sample.time, BootTime{seconds{i * i}});
    }
  }
}

TEST_F(Simulated, ARampPassesTheLargestIntegerWithoutHarm) {
  const auto source = open({{"shape", std::string{"ramp"}}, {"start", INT64_MAX}});
  ASSERT_TRUE(source);
  EXPECT_EQ(read(**source, seconds{1})[0].value.integer(), INT64_MAX);
  EXPECT_EQ(read(**source, seconds{2})[0].value.integer(), INT64_MIN);
}

TEST_F(Simulated, ASineSwingsBetweenItsBoundsOnceAPeriod) {
  const auto source = open({{"period_seconds", 8.0}, {"amplitude", 10.0}, {"minimum", 20.0}});
  ASSERT_TRUE(source);
  EXPECT_NEAR(read(**source, seconds{0})[0].value.real(), 25, 1e-9);
  EXPECT_NEAR(read(**source, seconds{2})[0].value.real(), 30, 1e-9);
  EXPECT_NEAR(read(**source, seconds{6})[0].value.real(), 20, 1e-9);
  EXPECT_NEAR(read(**source, seconds{8})[0].value.real(), 25, 1e-9);
}

TEST_F(Simulated, SinesOfOneSourceHaveDifferentPhasesAndStayInBounds) {
  const auto source = open({{"series", std::int64_t{100}}, {"amplitude", 2.0}});
  ASSERT_TRUE(source);
  for (int t = 0; t < 100; ++t) {
    const auto samples = read(**source, seconds{t});
    for (const Sample& sample : samples) {
      EXPECT_GE(sample.value.real(), -1e-9);
      EXPECT_LE(sample.value.real(), 2 + 1e-9);
    }
    EXPECT_NE(samples[0].value.real(), samples[1].value.real());
  }
}

TEST_F(Simulated, AStepIsLowInTheFirstHalfOfAPeriodAndHighInTheSecond) {
  const auto source =
      open({{"shape", std::string{"step"}}, {"period_seconds", 10.0}, {"amplitude", 5.0}});
  ASSERT_TRUE(source);
  EXPECT_EQ(read(**source, seconds{4})[0].value.real(), 0);
  EXPECT_EQ(read(**source, seconds{5})[0].value.real(), 5);
  EXPECT_EQ(read(**source, seconds{9})[0].value.real(), 5);
  EXPECT_EQ(read(**source, seconds{10})[0].value.real(), 0);
}

TEST_F(Simulated, AStuckSourceSaysTheSameForever) {
  const auto source = open({{"shape", std::string{"stuck"}}, {"minimum", 7.5}});
  ASSERT_TRUE(source);
  for (int t = 0; t < 3; ++t) EXPECT_EQ(read(**source, seconds{t})[0].value.real(), 7.5);
}

TEST_F(Simulated, ASilentSourceHasSeriesButNoSamplesAndNoError) {
  const auto source = open({{"shape", std::string{"silent"}}});
  ASSERT_TRUE(source);
  EXPECT_EQ(table_.size(), 1U);
  EXPECT_TRUE(read(**source, seconds{1}).empty());
}

TEST_F(Simulated, AFailingSourceFailsEveryNthRead) {
  const auto source = open({{"shape", std::string{"failing"}}, {"fail_every", std::int64_t{4}}});
  ASSERT_TRUE(source);
  for (int i = 1; i <= 12; ++i) {
    SampleList list;
    const auto result = (*source)->read(list, BootTime{seconds{i}});
    EXPECT_EQ(result.has_value(), i % 4 != 0) << "read " << i;
    EXPECT_EQ(list.samples.size(), i % 4 != 0 ? 1U : 0U);
    if (!result) {
      EXPECT_EQ(result.error().kind(), ErrorKind::Io);
    }
  }
}

TEST_F(Simulated, NoiseIsInBoundsAndTheSameForTheSameSeed) {
  const auto values = [this](std::int64_t seed) {
    auto source = open({{"shape", std::string{"noise"}}, {"seed", seed}, {"minimum", -3.0}});
    std::vector<double> result;
    for (int t = 0; t < 1000; ++t) {
      result.push_back(read(**source, seconds{t})[0].value.real());
      EXPECT_GE(result.back(), -3);
      EXPECT_LT(result.back(), -2);
    }
    return result;
  };
  const auto first = values(42);
  EXPECT_EQ(first, values(42));
  EXPECT_NE(first, values(43));
}

TEST_F(Simulated, TenThousandSeriesOpen) {
  const auto source = open({{"series", std::int64_t{10'000}}});
  ASSERT_TRUE(source);
  EXPECT_EQ(read(**source, seconds{1}).size(), 10'000U);
}

TEST_F(Simulated, WrongOptionsAreRefusedByName) {
  const auto refuse = [this](std::string key, OptionValue value) {
    const auto source = open({{key, std::move(value)}});
    ASSERT_FALSE(source) << key;
    EXPECT_EQ(source.error().kind(), ErrorKind::OutOfRange);
    EXPECT_NE(source.error().sentence().find(key), std::string::npos) << source.error().sentence();
  };
  refuse("shape", std::string{"triangle"});
  refuse("series", std::int64_t{0});
  refuse("series", static_cast<std::int64_t>(SeriesTable::kSeriesMax) + 1);
  refuse("period_seconds", 0.0);
  refuse("amplitude", std::nan(""));
  refuse("minimum", HUGE_VAL);
  refuse("kind", std::string{"histogram"});
  refuse("fail_every", std::int64_t{0});
  EXPECT_EQ(table_.size(), 0U);
}

TEST_F(Simulated, AFullTableIsSaid) {
  ASSERT_TRUE(open({{"series", static_cast<std::int64_t>(SeriesTable::kSeriesMax)}}));
  const auto one_more = open({{"shape", std::string{"stuck"}}});
  ASSERT_FALSE(one_more);
  EXPECT_EQ(one_more.error().kind(), ErrorKind::Full);
}

}  // namespace
}  // namespace fieldpost
