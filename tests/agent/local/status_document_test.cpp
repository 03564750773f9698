// SPDX-License-Identifier: Apache-2.0
// The names in the JSON are an interface: this test is the list of them.
#include "agent/local/status_document.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

using Keys = std::vector<std::string>;

TEST(StatusDocument, HasTheNamesThatScriptsRead) {
  StatusDocument document;
  document.sources.emplace_back();
  document.drops.push_back({"filter", "deadband", 3});
  const std::string text = to_json(document);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const Json json = Json::parse(text).value();
  EXPECT_EQ(json.keys(), (Keys{"version", "device", "process_id", "uptime_seconds", "utc",
                               "utc_synchronised", "series", "alarms", "link", "identity", "sync", "store",
                               "sources", "drops"}));
  EXPECT_EQ(json.at("identity")->keys(), (Keys{"renewal", "last_error", "renewals"}));
  document.identity.subject = "CN=gw-1";
  EXPECT_EQ(Json::parse(to_json(document))->at("identity")->keys(),
            (Keys{"subject", "not_after", "age", "renewal", "last_error", "renewals"}));
  document.desired = R"({"state":"none"})";
  EXPECT_EQ(Json::parse(to_json(document))->at("desired")->keys(), Keys{"state"});
  EXPECT_EQ(json.at("link")->keys(),
            (Keys{"configured", "url", "state", "state_for_seconds", "peer", "tls", "last_error",
                  "next_attempt_in_seconds", "connects", "failures", "bytes_sent", "bytes_received"}));
  EXPECT_EQ(json.at("sync")->keys(), (Keys{"messages_sent", "messages_acknowledged", "messages_failed",
                                           "messages_given_up", "in_flight", "day_bytes_max", "day_bytes",
                                           "day_resets_in_seconds", "lanes"}));
  EXPECT_EQ(json.at("sync")->at("lanes")->keys(), (Keys{"alert", "event", "live", "bulk"}));
  EXPECT_EQ(json.at("sync")->at("lanes")->at("bulk")->keys(), (Keys{"last_error"}));
  EXPECT_EQ(json.at("store")->keys(),
            (Keys{"disk_ok", "disk_error", "epoch", "newest_seq", "newest_acknowledged_seq",
                  "file_bytes", "quota_bytes", "durable_readings", "acknowledged_readings", "commits",
                  "body_bytes", "written_bytes", "flush_interval_seconds", "thinned_readings", "merged_segments", "salvaging", "salvaged_segments",
                  "memory_readings", "memory_bytes", "lanes"}));
  EXPECT_EQ(json.at("store")->at("lanes")->keys(), (Keys{"alert", "event", "live", "bulk"}));
  EXPECT_EQ(json.at("store")->at("lanes")->at("live")->keys(),
            (Keys{"waiting_segments", "waiting_readings", "dropped_readings"}));
  EXPECT_EQ(json.at("sources")->elements().at(0).keys(),
            (Keys{"name", "driver", "state", "interval_seconds", "last_read_ago_seconds",
                  "last_cost_seconds", "cost_seconds", "reads", "failures", "skipped", "samples",
                  "last_error"}));
  EXPECT_EQ(json.at("drops")->elements().at(0).keys(), (Keys{"stage", "reason", "count"}));
}

TEST(StatusDocument, KeepsCountsExactAndTimesInSeconds) {
  StatusDocument document;
  document.uptime = milliseconds{1'500};
  document.store.durable_readings = 9'007'199'254'740'991;
  document.link.next_attempt_in = milliseconds{250};
  const Json json = Json::parse(to_json(document)).value();
  EXPECT_EQ(json.at("uptime_seconds")->number(), 1.5);
  EXPECT_EQ(json.at("store")->at("durable_readings")->integer(), 9'007'199'254'740'991);
  EXPECT_EQ(json.at("link")->at("next_attempt_in_seconds")->number(), 0.25);
  EXPECT_TRUE(json.at("store")->at("epoch")->string());
}

}  // namespace
}  // namespace fieldpost
