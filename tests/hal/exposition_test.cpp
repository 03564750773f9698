// SPDX-License-Identifier: Apache-2.0
// The expected numbers were printed by Go 1.19's strconv.FormatFloat(v, 'g', -1, 64).
#include "hal/exposition.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fieldpost {
namespace {

TEST(PrometheusNumber, PrintsRealsAsGoDoes) {
  const std::pair<double, const char*> expected[] = {
      {0, "0"},
      {1, "1"},
      {-1, "-1"},
      {0.1, "0.1"},
      {0.0001, "0.0001"},
      {0.00001, "1e-05"},
      {123456, "123456"},
      {1234567, "1.234567e+06"},
      {999999, "999999"},
      {1000000, "1e+06"},
      {123456.5, "123456.5"},
      {1234567.5, "1.2345675e+06"},
      {1.5e9, "1.5e+09"},
      {1e100, "1e+100"},
      {5e-324, "5e-324"},
      {1.7976931348623157e308, "1.7976931348623157e+308"},
      {-12.5, "-12.5"},
      {10, "10"},
      {100.25, "100.25"},
      {1795183998.641101, "1.795183998641101e+09"},
      {std::numeric_limits<double>::infinity(), "+Inf"},
      {-std::numeric_limits<double>::infinity(), "-Inf"},
      {std::nan(""), "NaN"},
  };
  for (const auto& [value, text] : expected) EXPECT_EQ(to_prometheus_number(Value{value}), text);
}

TEST(PrometheusNumber, PrintsIntegersInTheSameShapeButExactly) {
  EXPECT_EQ(to_prometheus_number(Value{0}), "0");
  EXPECT_EQ(to_prometheus_number(Value{-12}), "-12");
  EXPECT_EQ(to_prometheus_number(Value{100000}), "100000");
  EXPECT_EQ(to_prometheus_number(Value{1500000000}), "1.5e+09");
  EXPECT_EQ(to_prometheus_number(Value{9007199254740993}), "9.007199254740993e+15");
  EXPECT_EQ(to_prometheus_number(Value{std::numeric_limits<std::int64_t>::min()}), "-9.223372036854775808e+18");
}

TEST(PrometheusText, GroupsFamiliesAndSortsAsNodeExporterDoes) {
  SeriesTable table;
  const auto idle1 = *table.add({"z_total", {{"cpu", "1"}, {"mode", "idle"}}, "", SeriesKind::counter, "back\\slash\nline"});
  const auto user0 = *table.add({"z_total", {{"cpu", "0"}, {"mode", "user"}}, "", SeriesKind::counter, ""});
  const auto load = *table.add({"a_load", {}, "", SeriesKind::state, "Load."});
  const std::vector<Sample> samples{{idle1, 3, {}}, {load, 0.5, {}}, {user0, 2, {}}, {idle1, 4, {}}};
  EXPECT_EQ(to_prometheus_text(table, samples),
            "# HELP a_load Load.\n"
            "# TYPE a_load gauge\n"
            "a_load 0.5\n"
            "# HELP z_total \n"
            "# TYPE z_total counter\n"
            "z_total{cpu=\"0\",mode=\"user\"} 2\n"
            "z_total{cpu=\"1\",mode=\"idle\"} 4\n")
      << "the last sample of a series counts, and the help is that of the first line";
}

TEST(PrometheusText, EscapesHelp) {
  SeriesTable table;
  const auto id = *table.add({"m", {}, "", SeriesKind::gauge, "back\\slash\nline"});
  const std::vector<Sample> samples{{id, 1, {}}};
  EXPECT_EQ(to_prometheus_text(table, samples), "# HELP m back\\\\slash\\nline\n# TYPE m gauge\nm 1\n");
}

}  // namespace
}  // namespace fieldpost
