// SPDX-License-Identifier: Apache-2.0
// Names of driver statistics.
#include "hal/network/ethtool_name.hpp"

#include <algorithm>
#include <array>

namespace fieldpost {
namespace {

constexpr std::string_view kPrefix = "node_ethtool_";

struct Renamed {
  std::string_view statistic;
  std::string_view name;
  std::string_view help;
};
constexpr std::array<Renamed, 7> kRenamed{{
    {"rx_bytes", "received_bytes_total", "Network interface bytes received"},
    {"rx_dropped", "received_dropped_total", "Number of received frames dropped"},
    {"rx_errors", "received_errors_total", "Number of received frames with errors"},
    {"rx_packets", "received_packets_total", "Network interface packets received"},
    {"tx_bytes", "transmitted_bytes_total", "Network interface bytes sent"},
    {"tx_errors", "transmitted_errors_total", "Number of sent frames with errors"},
    {"tx_packets", "transmitted_packets_total", "Network interface packets sent"},
}};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Lower case; each run of odd characters, with the underscores around it, becomes one underscore.
std::string sanitised(std::string_view statistic) {
  std::string name;
  for (std::size_t i = 0; i < statistic.size();) {
    if (is_name_character(statistic[i])) {
      const char c = statistic[i++];
      name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      continue;
    }
    while (i < statistic.size() && !is_name_character(statistic[i])) ++i;
    while (i < statistic.size() && statistic[i] == '_') ++i;
    if (i < statistic.size() && !is_name_character(statistic[i])) continue;  // one longer run
    while (!name.empty() && name.back() == '_') name.pop_back();
    name += '_';
  }
  name.erase(0, std::min(name.find_first_not_of('_'), name.size()));
  return name;
}

/// Replaces whole words. Like node_exporter's pattern, a match takes the underscore behind it along,
/// so of two words in a row ("tx_tx_timeouts") only the first is replaced.
std::string with_word_replaced(std::string_view name, std::string_view word, std::string_view by) {
  std::string replaced;
  bool previous_matched = false;
  while (true) {
    const std::size_t end = name.find('_');
    const std::string_view part = name.substr(0, end);
    previous_matched = part == word && !previous_matched;
    replaced += previous_matched ? by : part;
    if (end == std::string_view::npos) return replaced;
    replaced += '_';
    name.remove_prefix(end + 1);
  }
}

}  // namespace

EthtoolMetricName ethtool_metric_name(std::string_view statistic) {
  for (const Renamed& renamed : kRenamed) {
    if (renamed.statistic == statistic) {
      return {std::string{kPrefix} + std::string{renamed.name}, std::string{renamed.help}};
    }
  }
  const std::string received = with_word_replaced(sanitised(statistic), "rx", "received");
  return {std::string{kPrefix} + with_word_replaced(received, "tx", "transmitted"),
          "Network interface " + std::string{statistic}};
}

}  // namespace fieldpost
