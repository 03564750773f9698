// SPDX-License-Identifier: Apache-2.0
// What node_exporter calls the statistics that a network driver names as it likes.
#pragma once

#include <string>
#include <string_view>

namespace fieldpost {

struct EthtoolMetricName {
  std::string name;
  std::string help;
};

/// "rx_xdp_drops" -> "node_ethtool_received_xdp_drops": odd characters become '_', the word "rx"
/// "received" and the word "tx" "transmitted"; seven common ones have a name of their own.
EthtoolMetricName ethtool_metric_name(std::string_view statistic);

}  // namespace fieldpost
