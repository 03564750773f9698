// SPDX-License-Identifier: Apache-2.0
// Reading documents from outside.
#include <gtest/gtest.h>

#include <string>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

Json parsed(std::string_view text) {
  auto json = Json::parse(text);
  if (!json) ADD_FAILURE() << text.substr(0, 100) << ": " << json.error().sentence();
  return json ? *json : Json::parse("null").value();
}

TEST(Json, ReadsEachKindOfValue) {
  const Json json =
      parsed(R"({"s":"a\nb","n":1.5,"i":-7,"t":true,"f":false,"z":null,"a":[1,"x"],"o":{"k":1}})");
  EXPECT_TRUE(json.is_object());
  EXPECT_EQ(json.at("s")->string(), "a\nb");
  EXPECT_EQ(json.at("n")->number(), 1.5);
  EXPECT_EQ(json.at("i")->integer(), -7);
  EXPECT_EQ(json.at("i")->number(), -7.0);
  EXPECT_EQ(json.at("t")->boolean(), true);
  EXPECT_EQ(json.at("f")->boolean(), false);
  EXPECT_TRUE(json.at("z")->is_null());
  EXPECT_TRUE(json.at("a")->is_array());
  EXPECT_EQ(json.at("a")->elements().at(1).string(), "x");
  EXPECT_EQ(json.at("o")->at("k")->integer(), 1);
}

TEST(Json, AnswersNothingForTheWrongKind) {
  const Json json = parsed(R"({"s":"1","n":1.5})");
  EXPECT_FALSE(json.at("s")->number());
  EXPECT_FALSE(json.at("s")->integer());
  EXPECT_FALSE(json.at("s")->boolean());
  EXPECT_FALSE(json.at("n")->string());
  EXPECT_FALSE(json.at("n")->integer());
  EXPECT_FALSE(json.at("n")->at("x"));
  EXPECT_FALSE(json.at("absent"));
  EXPECT_FALSE(json.at("S"));  // keys are case-sensitive
  EXPECT_TRUE(json.at("n")->elements().empty());
  EXPECT_TRUE(json.at("n")->keys().empty());
}

TEST(Json, GivesIntegersOnlyWhereADoubleIsExact) {
  EXPECT_EQ(parsed("9007199254740991").integer(), 9007199254740991);
  EXPECT_EQ(parsed("-9007199254740991").integer(), -9007199254740991);
  EXPECT_FALSE(parsed("9007199254740992").integer());
  EXPECT_FALSE(parsed("9007199254740993").integer());
  EXPECT_FALSE(parsed("-9007199254740992").integer());
  EXPECT_FALSE(parsed("1e300").integer());
  EXPECT_EQ(parsed("1e3").integer(), 1000);
}

TEST(Json, NumberTooLargeForADoubleIsNone) {
  EXPECT_FALSE(parsed("1e999").number());
  EXPECT_FALSE(parsed("-1e999").number());
}

TEST(Json, KeepsKeysInTheirOrder) {
  const Json json = parsed(R"({"b":1,"a":2,"c":3})");
  EXPECT_EQ(json.keys(), (std::vector<std::string>{"b", "a", "c"}));
  EXPECT_EQ(json.elements().at(1).integer(), 2);
}

TEST(Json, PartsKeepTheDocumentAlive) {
  std::optional<Json> part;
  {
    const Json json = parsed(R"({"deep":{"er":["here"]}})");
    part = json.at("deep")->at("er")->elements().at(0);
  }
  EXPECT_EQ(part->string(), "here");
}

TEST(Json, WritesAPartAsCompactText) {
  const std::string text = R"({"a":[1,2.5,"x\ny",true,false,null,{}],"b":1e+300,"c":-9007199254740991})";
  EXPECT_EQ(parsed(" " + text + " ").text(), text);
  EXPECT_EQ(parsed(text).at("a")->text(), R"([1,2.5,"x\ny",true,false,null,{}])");
}

TEST(Json, RefusesEqualKeysInOneObject) {
  const auto twice = Json::parse(R"({"a":{"version":1,"x":2,"version":2}})");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().kind(), ErrorKind::Malformed);
  EXPECT_NE(twice.error().sentence().find("\"version\""), std::string::npos);
  EXPECT_TRUE(Json::parse(R"([{"version":1},{"version":2}])"));
}

TEST(Json, RefusesEqualKeysThatAreOnlyWrittenDifferently) {
  EXPECT_FALSE(Json::parse(R"({"a":1,"\u0061":2})"));
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "[1,]", "\"\\u0000\"", "01", "\"\xFF\""}) {
    const auto json = Json::parse(text);
    ASSERT_FALSE(json) << text;
    EXPECT_EQ(json.error().kind(), ErrorKind::Malformed) << text;
  }
}

TEST(Json, BoundsDepthSizeAndValues) {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(Json::parse(nested(Json::kDepthMax)));
  EXPECT_EQ(Json::parse(nested(Json::kDepthMax + 1)).error().kind(), ErrorKind::OutOfRange);

  const std::string largest = '"' + std::string(Json::kTextBytesMax - 2, 'x') + '"';
  EXPECT_TRUE(Json::parse(largest));
  EXPECT_EQ(Json::parse(largest + " ").error().kind(), ErrorKind::OutOfRange);

  std::string most = "[0";
  for (std::size_t i = 2; i < Json::kValuesMax; ++i) most += ",0";
  EXPECT_TRUE(Json::parse(most + "]"));
  EXPECT_EQ(Json::parse(most + ",0]").error().kind(), ErrorKind::OutOfRange);
}

TEST(Json, ReadsBytesThatEndWithoutAZero) {
  const std::string text = "[12]34";
  EXPECT_EQ(parsed(std::string_view{text}.substr(0, 4)).elements().at(0).integer(), 12);
}

}  // namespace
}  // namespace fieldpost
