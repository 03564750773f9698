// SPDX-License-Identifier: Apache-2.0
// The whole agent without a network: simulated sources through every stage into a real outbox.
#include "agent/wiring.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>

#include "agent/local/control_socket.hpp"
#include "agent/local/state_directory.hpp"
#include "agent/store/outbox_reader.hpp"
#include "platform/durable_file.hpp"
#include "platform/unix_socket.hpp"
#include "tests/agent/link/test_certificates_mbedtls.hpp"
#include "tests/support/collecting_log.hpp"
#include "tests/support/manual_event_loop.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

using namespace std::chrono_literals;

class WiringTest : public testing::Test {
 protected:
  Configuration configure(const std::string& text) {
    ConfigurationResult read = read_configuration(
        "[device]\nname = \"gw\"\nstate_directory = \"" + state_ + "\"\n[control]\nsocket = \"" +
            directory_.file("control.sock") +
            "\"\n[self]\nenabled = false\n[sampling]\ninterval = \"1s\"\ndefault_sources = false\n" + text,
        {.file_name = "t.toml",
         .directory = directory_.path(),
         .host_name = "host",
         .drivers = driver_table(),
         .files_are_checked = false});
    for (const Problem& problem : read.problems) {
      EXPECT_NE(problem.severity, Problem::Severity::error) << to_text(problem);
    }
    return std::move(read.configuration);
  }

  std::string ca_file() {
    EXPECT_TRUE(replace_file_durably(directory_.file("ca.pem"), make_test_certificate({}).certificate, 0644));
    return directory_.file("ca.pem");
  }

  std::unique_ptr<Agent> make(const std::string& text) {
    auto agent = Agent::make(loop_, log_.log(), tree_, configure(text));
    EXPECT_TRUE(agent) << agent.error().sentence();
    return agent ? std::move(*agent) : nullptr;
  }

  void stop(Agent& agent) {
    bool stopped = false;
    agent.stop([&] { stopped = true; });
    ASSERT_TRUE(loop_.run_until([&] { return stopped; }));
  }

  struct Found {
    std::uint64_t samples = 0;
    std::uint64_t summaries = 0;
    std::vector<Event> events;
  };
  std::map<Lane, Found> outbox() {
    std::map<Lane, Found> found;
    auto reader = OutboxReader::open(state_);
    EXPECT_TRUE(reader) << reader.error().sentence();
    if (!reader) return found;
    for (const Lane lane : kLanes) {
      const auto damaged = reader->read(lane, [&](const SegmentHeader&, const SegmentContent& content) {
        found[lane].samples += content.samples.size();
        found[lane].summaries += content.summaries.size();
        found[lane].events.insert(found[lane].events.end(), content.events.begin(), content.events.end());
        return true;
      });
      EXPECT_EQ(damaged.value(), 0U);
    }
    return found;
  }

  TemporaryDirectory directory_;
  std::string state_ = directory_.file("state");
  ManualClock clock_;
  ManualEventLoop loop_{clock_};
  CollectingLog log_{clock_};
  FileTree tree_;
};

constexpr const char* kRamps = "[source.proof]\ndriver = \"simulated\"\nshape = \"ramp\"\nseries = 3\n";

TEST_F(WiringTest, WhatWasReadIsInTheOutboxAfterAnOrderlyStop) {
  {
    const auto agent = make(kRamps);
    agent->start();
    loop_.advance(5s);
    stop(*agent);
  }
  // At once, and at five whole seconds.
  EXPECT_EQ(outbox()[Lane::live].samples, 18U);
}

TEST_F(WiringTest, PoliciesDecideLaneWindowAndWhatGoesNoFurther) {
  {
    const auto agent = make(std::string{kRamps} +
                            "[source.other]\ndriver = \"simulated\"\nshape = \"ramp\"\nseries = 2\n"
                            "[source.gone]\ndriver = \"simulated\"\nshape = \"ramp\"\nseries = 1\n"
                            "[[series]]\nmatch = \"*\"\nlabels = { instance = \"other\" }\n"
                            "window = \"10s\"\nlane = \"bulk\"\n"
                            "[[series]]\nmatch = \"*\"\nlabels = { instance = \"gone\" }\ndrop = true\n");
    agent->start();
    loop_.advance(9s);
    const StatusDocument status = agent->status();
    EXPECT_EQ(status.drops.size(), 10U);
    for (const StatusDocument::Drop& drop : status.drops) {
      EXPECT_EQ(drop.count, drop.reason == "drop" ? 10U : 0U) << drop.stage << " " << drop.reason;
    }
    stop(*agent);
  }
  auto found = outbox();
  EXPECT_EQ(found[Lane::live].samples, 30U);
  EXPECT_EQ(found[Lane::bulk].samples, 0U);
  EXPECT_EQ(found[Lane::bulk].summaries, 2U);
}

TEST_F(WiringTest, AnAlarmIsDurableWithoutWaitingForTheFlush) {
  const auto agent = make(std::string{kRamps} +
                          "[outbox]\nflush_interval = \"1h\"\n"
                          "[[rule]]\nname = \"high\"\nseries = \"fieldpost_simulated_value\"\nwarn_above = 2\n");
  agent->start();
  loop_.advance(4s);
  ASSERT_TRUE(loop_.run_until([&] { return agent->status().store.waiting_segments[0] > 0; }));
  EXPECT_EQ(agent->status().alarms, 3U);
  stop(*agent);
}

TEST_F(WiringTest, RefusesASecondAgentOnOneStateDirectory) {
  const auto agent = make(kRamps);
  const auto second = Agent::make(loop_, log_.log(), tree_, configure(kRamps));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::Unavailable);
}

TEST_F(WiringTest, LeavesTheControlSocketOfAnotherAgentAlone) {
  // A listener stands for the other agent: SQLite is built without locks, for one store a process.
  const auto other = listen_unix(directory_.file("control.sock"));
  ASSERT_TRUE(other);
  const auto agent = make(kRamps);
  agent->start();
  EXPECT_TRUE(log_.contains("no control socket, `fieldpost status` will not work"));
  stop(*agent);
  EXPECT_TRUE(directory_.exists("control.sock"));
}

TEST_F(WiringTest, TakesItsControlSocketAway) {
  const auto agent = make(kRamps);
  agent->start();
  EXPECT_TRUE(directory_.exists("control.sock"));
  stop(*agent);
  EXPECT_FALSE(directory_.exists("control.sock"));
}

TEST_F(WiringTest, StartsAndSamplesOnAStateDirectoryThatCannotBe) {
  directory_.write("state", "a file where the directory should be");
  const auto agent = make(kRamps);
  agent->start();
  loop_.advance(5s);
  EXPECT_EQ(agent->status().sources.at(0).reads, 6U);
  EXPECT_TRUE(log_.contains("state directory cannot be locked, going on without"));
  ASSERT_TRUE(loop_.run_until([&] { return !agent->status().store.disk_error.empty(); }));
  EXPECT_FALSE(agent->status().store.disk_ok);
  stop(*agent);
}

TEST_F(WiringTest, RefusesACertificateThatCannotBeRead) {
  Configuration configuration = configure(
      "[broker]\nurl = \"mqtts://localhost:1\"\ncertificate_file = \"no.pem\"\nkey_file = \"no.key\"\n");
  const auto agent = Agent::make(loop_, log_.log(), tree_, std::move(configuration));
  ASSERT_FALSE(agent);
  EXPECT_NE(agent.error().sentence().find("no.pem"), std::string::npos) << agent.error().sentence();
}

TEST_F(WiringTest, ShowsProgressWhileSourcesAreRead) {
  const auto agent = make(kRamps);
  agent->start();
  loop_.run_ready();
  const std::uint64_t before = agent->progress();
  EXPECT_EQ(agent->progress_interval(), 1s);
  loop_.advance(1s);
  EXPECT_EQ(agent->progress(), before + 1);
  stop(*agent);
  loop_.advance(10s);
  EXPECT_EQ(agent->progress(), before + 1);
}

TEST_F(WiringTest, GivesSeriesOfItself) {
  {
    const auto agent = make("");
    agent->start();
    stop(*agent);
  }
  EXPECT_EQ(outbox()[Lane::live].samples, 0U);
  auto configuration = configure("");
  configuration.self_enabled = true;
  configuration.self_interval = 60s;
  auto agent = Agent::make(loop_, log_.log(), tree_, std::move(configuration));
  ASSERT_TRUE(agent);
  (*agent)->start();
  loop_.run_ready();
  stop(**agent);
  agent->reset();
  EXPECT_GT(outbox()[Lane::live].samples, 25U);
}

TEST_F(WiringTest, SamplesOnWithAnIdentityThatCannotBeUsed) {
  const std::string place = state_ + "/identity/1";
  ASSERT_TRUE(make_directories(place));
  ASSERT_TRUE(replace_file_durably(place + "/certificate.pem", "damaged", 0644));
  ASSERT_TRUE(replace_file_durably(place + "/key.pem", "damaged", 0600));
  ASSERT_EQ(::symlink("1", (state_ + "/identity/current").c_str()), 0);
  const auto agent = make("[broker]\nurl = \"mqtts://127.0.0.1:1\"\nca_file = \"" + ca_file() + "\"\n[source.a]\ndriver = \"simulated\"\n");
  ASSERT_NE(agent, nullptr);
  EXPECT_EQ(log_.count("the identity cannot be used"), 1U);
}

}  // namespace
}  // namespace fieldpost
