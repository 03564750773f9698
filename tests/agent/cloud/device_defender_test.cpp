// SPDX-License-Identifier: Apache-2.0
#include "agent/cloud/device_defender.hpp"

#include <sys/stat.h>

#include <fstream>

#include <gtest/gtest.h>

#include "platform/json.hpp"
#include "tests/agent/cloud/listening_link.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

constexpr const char* kHead = "  sl  local_address rem_address   st tx_queue\n";

class DeviceDefenderTest : public testing::Test {
 protected:
  void SetUp() override {
    ::mkdir((directory_.path() + "/proc").c_str(), 0700);
    ::mkdir((directory_.path() + "/proc/net").c_str(), 0700);
    put("tcp", std::string{kHead} + "   0: 0100007F:1F90 00000000:0000 0A 0:0\n   1: 0A01A8C0:0016 0B01A8C0:C350 01 0:0\n   2: 0A01A8C0:0016 0B01A8C0:C351 06 0:0\n");
    put("tcp6", std::string{kHead} + "   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0\n" +
                    "   1: 00000000000000000000000001000000:0050 B80D0120000000000000000001000000:01BB 01 0:0\n");
    put("udp", std::string{kHead} + "   0: 00000000:0044 00000000:0000 07 0:0\n");
    traffic(1'000, 10, 500, 5);
    defender_.start();
  }

  void put(const std::string& name, const std::string& text) { std::ofstream{directory_.path() + "/proc/net/" + name} << text; }
  void traffic(int bytes_in, int packets_in, int bytes_out, int packets_out) {
    put("dev", "Inter-|   Receive  |  Transmit\n face |bytes packets\n    lo: 99 9 0 0 0 0 0 0 99 9 0 0 0 0 0 0\n  eth0:" + std::to_string(bytes_in) + " " +
                   std::to_string(packets_in) + " 0 0 0 0 0 0 " + std::to_string(bytes_out) + " " + std::to_string(packets_out) + " 0 0 0 0 0 0\n");
  }
  Json metrics() const { return *Json::parse(link_.published.back().payload)->at("metrics"); }

  TemporaryDirectory directory_;
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
  ListeningLink link_;
  DeviceDefender defender_{loop_, log_.log(), link_, "gw", seconds{300}, directory_.path()};
};

TEST_F(DeviceDefenderTest, TellsTheTrafficSinceTheReportBefore) {
  loop_.advance(seconds{299});
  EXPECT_TRUE(link_.published.empty());
  traffic(1'500, 13, 600, 6);
  loop_.advance(seconds{1});
  ASSERT_EQ(link_.published.size(), 1U);
  EXPECT_EQ(link_.published[0].topic, "$aws/things/gw/defender/metrics/json");
  EXPECT_EQ(metrics().at("network_stats")->text(), R"({"bytes_in":500,"packets_in":3,"bytes_out":100,"packets_out":1})");
  loop_.advance(seconds{300});
  EXPECT_EQ(metrics().at("network_stats")->at("bytes_in")->integer(), 0);
}

TEST_F(DeviceDefenderTest, ListsPortsOnceAndConnectionsWithTheirPeers) {
  loop_.advance(seconds{300});
  EXPECT_EQ(metrics().at("listening_tcp_ports")->text(), R"({"ports":[{"port":8080}],"total":1})");
  EXPECT_EQ(metrics().at("listening_udp_ports")->text(), R"({"ports":[{"port":68}],"total":1})");
  EXPECT_EQ(metrics().at("tcp_connections")->text(),
            R"({"established_connections":{"connections":[{"local_port":22,"remote_addr":"192.168.1.11:50000"},)"
            R"({"local_port":80,"remote_addr":"[2001:db8::1]:443"}],"total":2}})");
}

TEST_F(DeviceDefenderTest, ListsAreBoundedAndTotalsAreNot) {
  std::string text = kHead;
  for (unsigned i = 0; i < DeviceDefender::kListedMax + 1; ++i) {
    std::array<char, 80> line{};
    std::snprintf(line.data(), line.size(), "%4u: 0100007F:%04X 0100007F:0050 01 0:0\n", i, i + 1);
    text += line.data();
  }
  put("tcp", text);
  loop_.advance(seconds{300});
  const Json established = *metrics().at("tcp_connections")->at("established_connections");
  EXPECT_EQ(established.at("connections")->elements().size(), DeviceDefender::kListedMax);
  EXPECT_EQ(established.at("total")->integer(), static_cast<std::int64_t>(DeviceDefender::kListedMax + 2));
}

TEST_F(DeviceDefenderTest, WithoutALinkTheTrafficIsToldLater) {
  link_.up = false;
  traffic(1'100, 11, 500, 5);
  loop_.advance(seconds{300});
  link_.up = true;
  traffic(1'300, 12, 500, 5);
  loop_.advance(seconds{300});
  ASSERT_EQ(link_.published.size(), 1U);
  EXPECT_EQ(metrics().at("network_stats")->at("bytes_in")->integer(), 300);
}

TEST_F(DeviceDefenderTest, TheNumberOfReportsGrows) {
  std::int64_t last = 0;
  for (int i = 0; i < 3; ++i) {
    loop_.advance(seconds{300});
    const auto id = Json::parse(link_.published.back().payload)->at("header")->at("report_id")->integer();
    ASSERT_TRUE(id);
    EXPECT_GT(*id, last);
    last = *id;
  }
}

TEST_F(DeviceDefenderTest, ARefusalIsSaidOnceWithItsWords) {
  const std::string refusal = R"({"status":"REJECTED","statusDetails":{"ErrorCode":"InvalidPayload","ErrorMessage":"bad"}})";
  link_.say("$aws/things/gw/defender/metrics/json/rejected", refusal);
  link_.say("$aws/things/gw/defender/metrics/json/rejected", refusal);
  EXPECT_EQ(log_.count("InvalidPayload bad"), 1U);
  link_.say("$aws/things/gw/defender/metrics/json/accepted", "{}");
  link_.say("$aws/things/gw/defender/metrics/json/rejected", refusal);
  EXPECT_EQ(log_.count("InvalidPayload bad"), 2U);
  link_.say("$aws/things/gw/defender/metrics/json/rejected", "nonsense");
}

TEST_F(DeviceDefenderTest, WhatCannotBeReadIsLeftOut) {
  for (const char* name : {"tcp", "tcp6", "udp"}) put(name, "head\n x\n 0: zz:1 2 0A\n 0: 0100007F:0016 short");
  ASSERT_EQ(::unlink((directory_.path() + "/proc/net/dev").c_str()), 0);
  loop_.advance(seconds{300});
  EXPECT_FALSE(metrics().at("network_stats"));
  EXPECT_EQ(metrics().at("listening_tcp_ports")->at("total")->integer(), 0);
}

}  // namespace
}  // namespace fieldpost
