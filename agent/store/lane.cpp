// SPDX-License-Identifier: Apache-2.0
// The names of lanes, as topics, messages and logs spell them.
#include "agent/store/lane.hpp"

namespace fieldpost {

std::string_view to_string(Lane lane) noexcept {
  switch (lane) {
    case Lane::alert: return "alert";
    case Lane::event: return "event";
    case Lane::live: return "live";
    case Lane::bulk: return "bulk";
  }
  return "bulk";
}

}  // namespace fieldpost
