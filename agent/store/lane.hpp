// SPDX-License-Identifier: Apache-2.0
// Lanes of the outbox: what may overtake what. Order holds inside a lane.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace fieldpost {

enum class Lane : std::uint8_t {
  alert,  ///< a person is waiting: durable and sent at once
  event,  ///< changes of state, gap reports
  live,   ///< readings for dashboards
  bulk,   ///< readings for later analysis; the first to be dropped
};

inline constexpr std::array kLanes{Lane::alert, Lane::event, Lane::live, Lane::bulk};

/// By lane, percent of the quota that no other lane can push it out of; 100 in all. What a lane leaves free others may use.
using LaneShares = std::array<std::int64_t, kLanes.size()>;
inline constexpr LaneShares kLaneShares{15, 15, 40, 30};

/// As topics, messages and logs spell them.
constexpr std::string_view to_string(Lane lane) noexcept {
  switch (lane) {
    case Lane::alert: return "alert";
    case Lane::event: return "event";
    case Lane::live: return "live";
    case Lane::bulk: return "bulk";
  }
  return "bulk";
}

}  // namespace fieldpost
