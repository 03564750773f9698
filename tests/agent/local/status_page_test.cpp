// SPDX-License-Identifier: Apache-2.0
// The page as a person sees it.
#include <gtest/gtest.h>

#include <string>

#include "agent/local/status_document.hpp"

namespace fieldpost {
namespace {

StatusDocument healthy() {
  StatusDocument document;
  document.version = "0.1.0";
  document.device = "gateway-0017";
  document.process_id = 815;
  document.uptime = std::chrono::hours{76};
  document.utc = "2026-11-20T13:48:27.123Z";
  document.utc_synchronised = true;
  document.series = 512;
  document.link = {.configured = true,
                   .url = "mqtts://broker.example:8883",
                   .state = "connected",
                   .peer = "broker.example:8883 (192.0.2.7)",
                   .tls = "TLS 1.3",
                   .last_error = "",
                   .state_for = std::chrono::minutes{12},
                   .next_attempt_in = {},
                   .connects = 2,
                   .failures = 1,
                   .bytes_sent = 1'536,
                   .bytes_received = 99};
  document.sync.messages_sent = 12;
  document.sync.messages_acknowledged = 11;
  document.sync.messages_failed = 1;
  document.store.disk_ok = true;
  document.store.epoch = 0x0123456789abcdef;
  document.store.newest_seq = 44;
  document.store.newest_acknowledged_seq = 43;
  document.store.file_bytes = 3 << 20;
  document.quota_bytes = 256LL << 20;
  document.store.durable_readings = 1'000;
  document.store.acknowledged_readings = 990;
  document.store.waiting_segments = {0, 0, 1, 0};
  document.store.waiting_readings = {0, 0, 10, 0};
  StatusDocument::Source& cpu = document.sources.emplace_back();
  cpu.name = "cpu";
  cpu.driver = "cpu";
  cpu.state = "working";
  cpu.interval = seconds{10};
  cpu.last_read_ago = milliseconds{3'200};
  cpu.cost = milliseconds{40};
  cpu.reads = 100;
  cpu.samples = 4'200;
  return document;
}

TEST(StatusPage, ShowsWhatAPersonWantsToKnow) {
  EXPECT_EQ(status_page(to_json(healthy())).value(),
            "device    gateway-0017, fieldpost 0.1.0, process 815, up 3d 4h\n"
            "time      2026-11-20T13:48:27.123Z\n"
            "series    512; alarms on: 0\n"
            "link      connected for 12m 0s, broker.example:8883 (192.0.2.7)\n"
            "          TLS 1.3\n"
            "          1.5 KiB sent, 99 B received; connected 2 times, failed 1\n"
            "sync      12 messages sent, 11 acknowledged, 1 failed, 0 given up\n"
            "outbox    3.0 MiB of 256.0 MiB; epoch 0123456789abcdef, seq 44, acknowledged 43\n"
            "          since start: 1000 readings durable, 990 acknowledged; in memory: 0\n"
            "\n"
            "lane      segments   readings   dropped\n"
            "alert     0          0          0\n"
            "event     0          0          0\n"
            "live      1          10         0\n"
            "bulk      0          0          0\n"
            "\n"
            "source           state    interval  last read    reads    failed   skipped  samples    "
            "cost a read\n"
            "cpu              working  10.0 s    3.2 s ago    100      0        0        4200       "
            "0.4 ms\n");
}

TEST(StatusPage, ShowsTheDesiredStateInOneLine) {
  StatusDocument document = healthy();
  document.desired = R"({"state":"confirmed","revision":"r1","desired_version":7})";
  EXPECT_NE(status_page(to_json(document)).value().find("\ndesired   confirmed, r1\n"), std::string::npos);
  document.desired = R"({"state":"put_back","cause":"the link\nis not up","asked_by":"job-a-1"})";
  EXPECT_NE(status_page(to_json(document)).value().find("\ndesired   put_back, job-a-1: the link?is not up\n"), std::string::npos);
}

TEST(StatusPage, ShowsTheCertificateAndItsRenewal) {
  StatusDocument document = healthy();
  document.identity = {"CN=gw-1", *from_rfc3339("2027-02-03T04:05:06Z"), "renewal due", "idle", "", 0};
  EXPECT_NE(status_page(to_json(document)).value().find("identity  CN=gw-1, renewal due, until 2027-02-03T04:05:06.000Z\n"), std::string::npos);
  document.identity.renewal = "waiting";
  document.identity.last_error = "the authority refuses: unknown device";
  const std::string page = status_page(to_json(document)).value();
  EXPECT_NE(page.find("; renewal: waiting\n          not renewed: the authority refuses: unknown device\n"), std::string::npos) << page;
}

TEST(StatusPage, ShowsWhatIsWrong) {
  StatusDocument document = healthy();
  document.utc_synchronised = false;
  document.link.state = "waiting";
  document.link.peer = "";
  document.link.last_error = "the broker's certificate is of other.example";
  document.link.next_attempt_in = seconds{7};
  document.sync.last_error[3] = "the broker refused a message: not authorized";
  document.sync.day_bytes_max = 50 << 20;
  document.sync.day_bytes = 3 << 19;
  document.sync.day_resets_in = std::chrono::hours{3};
  document.store.disk_ok = false;
  document.store.disk_error = "/var/lib/fieldpost is full";
  document.sources[0].state = "failing";
  document.sources[0].last_error = "I/O error";
  document.drops = {{"filter", "out_of_range", 5}, {"filter", "deadband", 0}};
  const std::string page = status_page(to_json(document)).value();
  for (const char* part :
       {"Z (not synchronised)\n",
        "waiting for 12m 0s, mqtts://broker.example:8883, next attempt in 7.0 s\n",
        "last error: the broker's certificate is of other.example\n",
        "lane bulk is held back: the broker refused a message: not authorized\n",
        "1.5 MiB of 50.0 MiB of the day are used; a new day in 3h 0m\n",
        "DISK: /var/lib/fieldpost is full\n", "I/O error\n",
        "went no further  because                  count\nfilter           out_of_range             5\n"}) {
    EXPECT_NE(page.find(part), std::string::npos) << part << "\n" << page;
  }
  EXPECT_EQ(page.find("deadband"), std::string::npos);
}

TEST(StatusPage, LetsNoErrorTextSteerTheTerminal) {
  StatusDocument document = healthy();
  document.link.last_error = "a\x1b[2J\nb";
  const std::string page = status_page(to_json(document)).value();
  EXPECT_NE(page.find("a?[2J?b"), std::string::npos);
}

TEST(StatusPage, RefusesWhatIsNoStatusDocument) {
  EXPECT_FALSE(status_page("{"));
  EXPECT_FALSE(status_page("{}"));
  const auto refused = status_page("{\"error\":\"unknown request\"}");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().sentence(), "unknown request");
  EXPECT_TRUE(status_page("{\"link\":{},\"store\":{},\"sources\":[]}"));
}

}  // namespace
}  // namespace fieldpost
