// SPDX-License-Identifier: Apache-2.0
// Which entries match, and that later keys win without touching the others.
#include "agent/configuration/series_policy.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

Series series(std::string name, std::vector<Label> labels = {}) {
  Series result;
  result.name = std::move(name);
  result.labels = std::move(labels);
  return result;
}

Series network(std::string device) {
  return series("node_network_receive_bytes_total", {{"device", std::move(device)}});
}

SeriesEntry entry(std::string match) {
  SeriesEntry result;
  result.match = std::move(match);
  return result;
}

TEST(SeriesPolicies, AreTheDefaultsWhereNothingMatches) {
  const SeriesPolicies policies{{entry("other_*")}};
  const SeriesPolicy policy = policies.of(network("eth0"));
  EXPECT_FALSE(policy.filter.drop);
  EXPECT_EQ(policy.lane, Lane::live);
  EXPECT_EQ(policy.aggregate.window, nanoseconds{0});
  EXPECT_DOUBLE_EQ(policy.filter.scale, 1);
}

TEST(SeriesPolicies, MatchNameAndEveryLabel) {
  SeriesEntry only_veth = entry("node_network_*");
  only_veth.labels = {{"device", "veth*"}};
  only_veth.drop = true;
  const SeriesPolicies policies{{only_veth}};
  EXPECT_TRUE(policies.of(network("veth12")).filter.drop);
  EXPECT_FALSE(policies.of(network("eth0")).filter.drop);
  EXPECT_FALSE(policies.of(series("node_network_x")).filter.drop);
  EXPECT_FALSE(policies.of(series("node_load1", {{"device", "veth1"}})).filter.drop);
}

TEST(SeriesPolicies, LayLaterKeysOverEarlierOnes) {
  SeriesEntry general = entry("*");
  general.window = seconds{60};
  general.lane = Lane::bulk;
  SeriesEntry exception = entry("node_network_*");
  exception.window = seconds{10};
  const SeriesPolicy policy = SeriesPolicies{{general, exception}}.of(network("eth0"));
  EXPECT_EQ(policy.aggregate.window, seconds{10});
  EXPECT_EQ(policy.lane, Lane::bulk);
  // The other way round the general entry wins: order is what decides.
  EXPECT_EQ(SeriesPolicies({exception, general}).of(network("eth0")).aggregate.window, seconds{60});
}

}  // namespace
}  // namespace fieldpost
