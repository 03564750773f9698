// SPDX-License-Identifier: Apache-2.0
#include "agent/fleet/operator_desk.hpp"

#include "tests/agent/fleet/fleet_fixture.hpp"

namespace fieldpost {
namespace {

constexpr std::int64_t kNow = 1'793'500'000;

class OperatorDeskTest : public FleetFixture {
 protected:
  /// The answer, or {"error": sentence}.
  Json ask(const std::string& request) {
    JsonWriter json;
    json.begin_object();
    const auto answered = desk_.answer(*Json::parse(request), kNow, json);
    if (!answered) {
      JsonWriter refusal;
      refusal.begin_object().member("error", answered.error().sentence()).end_object();
      return *Json::parse(std::move(refusal).take());
    }
    json.end_object();
    return *Json::parse(std::move(json).take());
  }
  FleetRegister register_{*database_};
  DeviceJobs device_jobs_{*database_, say()};
  DeviceShadows shadows_{*database_, say()};
  FleetJobs jobs_{*database_, device_jobs_};
  OperatorDesk desk_{register_, jobs_, shadows_};
};

TEST_F(OperatorDeskTest, MakesAJobOfWhatTheCommandLineSays) {
  EXPECT_EQ(text(ask(R"({"do":"group add","name":"g","devices":["a","b"]})"), "changed"), "2");
  const Json made = ask(R"({"do":"job create","name":"j","document":"{\"x\":1}","group":"g","rate":7,"increment_percent":150,"increment_after":3,
                            "increment_by_told":true,"rate_max":70,"abort_hundredths":250,"min_executed":4,"timeout_minutes":9,"abort_running":true})");
  EXPECT_EQ(text(made, "devices"), "2");
  const Json shown = ask(R"({"do":"job show","name":"j"})");
  for (const auto& [key, value] : {std::pair{"per_minute", "7"}, {"per_minute_max", "70"}, {"increment_percent", "150"}, {"increment_after", "3"},
                                   {"by_success", "0"}, {"abort_hundredths", "250"}, {"abort_min", "4"}, {"timeoutMinutes", "9"},
                                   {"document", R"({"x":1})"}, {"rate", "7"}, {"over", "false"}}) {
    EXPECT_EQ(text(shown, key), value) << key;
  }
  EXPECT_EQ(text(*shown.at("counts"), "waiting"), "2");
  EXPECT_EQ(text(ask(R"({"do":"job list"})").at("rows")->elements()[0], "devices"), "2");
  EXPECT_EQ(text(ask(R"({"do":"job cancel","name":"j"})"), "canceled"), "2");
}

TEST_F(OperatorDeskTest, StatesGoToDevicesAndGroups) {
  ask(R"({"do":"group add","name":"g","devices":["a","b"]})");
  EXPECT_EQ(text(ask(R"({"do":"state set","name":"g","document":"{\"x\":1}"})"), "devices"), "2");
  EXPECT_EQ(count("shadow/update/delta"), 2U);
  const Json shown = ask(R"({"do":"state get","name":"a"})");
  EXPECT_EQ(text(*shown.at("devices")->at("a")->at("state"), "desired"), R"({"x":1})");
  EXPECT_EQ(text(*ask(R"({"do":"state get","name":"a","shadow":"other"})").at("devices"), "a"), "null");
}

TEST_F(OperatorDeskTest, StatesThatAreTooManyForOneAnswerAreRefusedInWords) {
  const std::string large(60 << 10, 'x');
  for (int i = 0; i < 15; ++i) {
    const std::string device = "gw-" + std::to_string(i);
    ask(R"({"do":"group add","name":"g","devices":[")" + device + "\"]}");
    ask(R"({"do":"state set","name":")" + device + R"(","document":"{\"x\":\")" + large + R"(\"}"})");
    const std::string error = text(ask(R"({"do":"state get","name":"g"})"), "error");
    if (i < 4) {
      EXPECT_EQ(error, "absent");
    }
  }
  EXPECT_NE(text(ask(R"({"do":"state get","name":"g"})"), "error").find("too many"), std::string::npos);
}

TEST_F(OperatorDeskTest, SaysWhatIsWrong) {
  EXPECT_NE(text(ask(R"({"do":"dance"})"), "error"), "absent");
  EXPECT_NE(text(ask(R"({})"), "error"), "absent");
  ask(R"({"do":"group add","name":"g","devices":["a"]})");
  EXPECT_NE(text(ask(R"({"do":"job create","name":"j","document":"{}","group":"h"})"), "error"), "absent");
  EXPECT_NE(text(ask(R"({"do":"job create","name":"j","document":"{}","group":"g","rate":"x"})"), "error"), "absent");
  EXPECT_NE(text(ask(R"({"do":"state set","name":"a","document":"5"})"), "error"), "absent");
  EXPECT_NE(text(ask(R"({"do":"state set","name":"a","document":"{}","shadow":"a/b"})"), "error"), "absent");
  EXPECT_NE(text(ask(R"({"do":"state set","name":"nobody","document":"{}"})"), "error"), "absent");
  EXPECT_NE(text(ask(R"({"do":"job show","name":"j"})"), "error"), "absent");
}

}  // namespace
}  // namespace fieldpost
