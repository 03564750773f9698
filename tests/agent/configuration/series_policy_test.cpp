// SPDX-License-Identifier: Apache-2.0
// Which entries match, and that later keys win without touching the others.
#include "agent/configuration/series_policy.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

Series network(std::string device) {
  return {.name = "node_network_receive_bytes_total", .labels = {{"device", std::move(device)}}};
}

SeriesEntry entry(std::string match) {
  SeriesEntry result;
  result.match = std::move(match);
  return result;
}

TEST(SeriesPolicies, AreTheDefaultsWhereNothingMatches) {
  const SeriesPolicies policies{{entry("other_*")}};
  const SeriesPolicy policy = policies.of(network("eth0"));
  EXPECT_FALSE(policy.drop);
  EXPECT_EQ(policy.lane, Lane::live);
  EXPECT_EQ(policy.aggregate.window, nanoseconds{0});
  EXPECT_DOUBLE_EQ(policy.filter.scale, 1);
}

TEST(SeriesPolicies, MatchNameAndEveryLabel) {
  SeriesEntry only_veth = entry("node_network_*");
  only_veth.labels = {{"device", "veth*"}};
  only_veth.drop = true;
  const SeriesPolicies policies{{only_veth}};
  EXPECT_TRUE(policies.of(network("veth12")).drop);
  EXPECT_FALSE(policies.of(network("eth0")).drop);
  EXPECT_FALSE(policies.of({.name = "node_network_x", .labels = {}}).drop);
  EXPECT_FALSE(policies.of({.name = "node_load1", .labels = {{"device", "veth1"}}}).drop);
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
