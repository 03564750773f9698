// SPDX-License-Identifier: Apache-2.0
// What the running agent says of itself over the control socket: one JSON document, and the page that
// `fieldpost status` makes of it. Plain values here, so that this room knows neither link nor stages.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/store/store.hpp"
#include "platform/clock.hpp"
#include "platform/result.hpp"

namespace fieldpost {

struct StatusDocument {
  struct Link {
    bool configured = false;
    std::string url;
    std::string state;  ///< "connected", "connecting", "waiting", "stopped"
    std::string peer;
    std::string tls;
    std::string last_error;
    nanoseconds state_for{};
    std::optional<nanoseconds> next_attempt_in;
    std::uint64_t connects = 0;
    std::uint64_t failures = 0;
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
  };
  /// The device's own certificate.
  struct Identity {
    std::string subject;  ///< empty: there is none
    UtcTime not_after;
    std::string age;      ///< "valid", "renewal due", "expired", "not yet valid"
    std::string renewal;  ///< "idle", "asking", ...; empty: renewed by hand
    std::string last_error;
    std::uint64_t renewals = 0;  ///< since the start
  };
  struct Jobs {
    struct Past {
      std::string job;
      std::string status;
      std::string reason;
      std::string ended;
    };
    std::string state;  ///< "idle", "working", ...; empty: no [jobs]
    std::string job;    ///< in hand; empty: none
    std::string operation;
    std::string waits_for;
    std::string last_error;
    std::vector<Past> past;  ///< oldest first
  };
  struct Sync {
    std::uint64_t messages_sent = 0;
    std::uint64_t messages_acknowledged = 0;
    std::uint64_t messages_failed = 0;
    std::uint64_t messages_given_up = 0;
    std::size_t in_flight = 0;
    std::int64_t day_bytes_max = 0;  ///< 0: no limit
    std::int64_t day_bytes = 0;
    nanoseconds day_resets_in{};
    std::array<std::string, kLanes.size()> last_error;  ///< why the broker does not take a lane; empty if it does
  };
  struct Source {
    std::string name;
    std::string driver;
    std::string state;
    nanoseconds interval{};
    std::optional<nanoseconds> last_read_ago;
    nanoseconds last_cost{};
    nanoseconds cost{};
    std::uint64_t reads = 0;
    std::uint64_t failures = 0;
    std::uint64_t skipped = 0;
    std::uint64_t samples = 0;
    std::string last_error;
  };
  /// Readings that went no further, and why; 0s are left out of the page.
  struct Drop {
    std::string stage;
    std::string reason;
    std::uint64_t count = 0;
  };

  std::string version;
  std::string device;
  int process_id = 0;
  nanoseconds uptime{};
  std::string utc;
  bool utc_synchronised = false;
  std::size_t series = 0;
  std::size_t alarms = 0;
  Link link;
  Identity identity;
  Jobs jobs;
  std::string desired;  ///< the latest change of the configuration from afar, as JSON; empty: none may be made
  Sync sync;
  StoreStatus store;
  std::int64_t quota_bytes = 0;
  std::vector<Source> sources;
  std::vector<Drop> drops;
};

/// One line of JSON.
std::string to_json(const StatusDocument& document);

/// The page for people, made from what the control socket answered.
/// Errors: Malformed (not such a document; the agent is of another version)
Result<std::string> status_page(std::string_view json);

}  // namespace fieldpost
