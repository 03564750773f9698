// SPDX-License-Identifier: Apache-2.0
#include "hal/network/ethtool_name.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

TEST(EthtoolMetricName, IsWhatNodeExporterMakesOfIt) {
  const std::pair<const char*, const char*> expected[] = {
      {"rx_bytes", "node_ethtool_received_bytes_total"},
      {"tx_packets", "node_ethtool_transmitted_packets_total"},
      {"rx_xdp_drops", "node_ethtool_received_xdp_drops"},
      {"tx_xdp_tx", "node_ethtool_transmitted_xdp_transmitted"},
      {"tx_tx_timeouts", "node_ethtool_transmitted_tx_timeouts"},
      {"rx0_drops", "node_ethtool_rx0_drops"},
      {"tx0_tx_timeouts", "node_ethtool_tx0_transmitted_timeouts"},
      {"port.rx-dropped", "node_ethtool_port_received_dropped"},
      {"[0]: rx_ucast", "node_ethtool_0_received_ucast"},
      {"  Tx Queue#: 1", "node_ethtool_transmitted_queue_1"},
      {"a_._b", "node_ethtool_a_b"},
  };
  for (const auto& [statistic, name] : expected) EXPECT_EQ(ethtool_metric_name(statistic).name, name) << statistic;
  EXPECT_EQ(ethtool_metric_name("rx_xdp_drops").help, "Network interface rx_xdp_drops");
  EXPECT_EQ(ethtool_metric_name("rx_bytes").help, "Network interface bytes received");
}

}  // namespace
}  // namespace fieldpost
