// SPDX-License-Identifier: Apache-2.0
// The text and bytes of small packs, to the last byte. Large ones: message_formats_test.cpp.
#include "agent/sync/message_senml.hpp"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "tests/support/manual_clock.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kPlenty = 100'000;
const UtcOf kKnown = [](const BootId&, BootTime time) {
  return Store::UtcStamp{UtcTime{seconds{1'767'225'600}} + time.time_since_epoch(), milliseconds{5}, true};
};
const UtcOf kUnknown = [](const BootId&, BootTime) { return std::nullopt; };

class MessageSenml : public testing::Test {
 protected:
  MessageSenml() {
    header_.epoch = 7;
    header_.seq = 3;
    header_.lane = Lane::live;
    header_.boot = "b";
    header_.first = BootTime{milliseconds{1'500}};
    header_.last = BootTime{milliseconds{2'600}};
  }

  void series(std::string name, std::string unit) {
    Series& made = content_.series.emplace_back();
    made.name = std::move(name);
    made.unit = std::move(unit);
  }
  void sample(std::uint32_t series, Value value, milliseconds time, Quality quality = Quality::good) {
    content_.samples.push_back({static_cast<SeriesId>(series), value, BootTime{time}, quality});
  }
  std::string pack(SenmlForm form, const UtcOf& utc_of = kKnown) {
    return to_senml(form, header_, content_, {"gw", utc_of, clock_}, {}, kPlenty).value();
  }
  /// Behind what the message tells of itself.
  std::string json(const UtcOf& utc_of = kKnown) {
    const std::string text = pack(SenmlForm::json, utc_of);
    return text.substr(text.find("time_trusted"));
  }

  ManualClock clock_;
  SegmentHeader header_;
  SegmentContent content_;
};

TEST_F(MessageSenml, TellsOfItselfFirst) {
  EXPECT_EQ(pack(SenmlForm::json),
            R"([{"bn":"gw/fieldpost","bt":1767225601.5,"n":"/epoch","vs":"0000000000000007"},{"n":"/seq","v":3},{"n":"/lane","vs":"live"},)"
            R"({"n":"/boot","vs":"b"},{"u":"s","n":"/boot_time","v":1.5},{"u":"s","n":"/time_error","v":0.005},{"n":"/time_trusted","vb":true}])");
}

TEST_F(MessageSenml, NamesASeriesOnceAndItsUnitOnce) {
  series("temperature", "celsius");
  series("state", "");
  sample(0, 20.5, milliseconds{1'500});
  sample(0, 21.0, milliseconds{2'600}, Quality::suspect);
  sample(1, 1, milliseconds{1'500});
  EXPECT_EQ(json(), R"(time_trusted","vb":true},{"bn":"gw/state","v":1},{"bn":"gw/temperature","bu":"Cel","v":20.5},{"t":1.1,"v":21},)"
                    R"({"n":"/quality","t":1.1,"vs":"suspect"}])");
}

TEST_F(MessageSenml, LeavesOutWhatIsNoNumberAndCountsIt) {
  series("a", "");
  sample(0, std::nan(""), milliseconds{1'500}, Quality::suspect);
  sample(0, std::numeric_limits<double>::infinity(), milliseconds{1'600});
  sample(0, 1, milliseconds{1'700});
  EXPECT_EQ(json(), R"(time_trusted","vb":true},{"bn":"gw/a","t":0.2,"v":1},{"bn":"gw/fieldpost","u":"count","n":"/left_out","v":2}])");
}

TEST_F(MessageSenml, WritesEveryIntegerWithAllItsDigits) {
  series("a", "");
  sample(0, std::numeric_limits<std::int64_t>::min(), milliseconds{1'500});
  EXPECT_NE(json().find(R"("v":-9223372036854775808})"), std::string::npos);
  // 3B: negative, eight bytes follow: -1 - 0x7FFF...
  EXPECT_NE(pack(SenmlForm::cbor).find("\x02\x3B\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), std::string::npos);
}

TEST_F(MessageSenml, WritesCborAsShortAsIsExact) {
  series("a", "volts");
  sample(0, 0.5, milliseconds{1'500});
  sample(0, 0.1, milliseconds{3'500});
  const std::string bytes = pack(SenmlForm::cbor);
  EXPECT_EQ(static_cast<unsigned char>(bytes.front()), 0x89);  // an array of nine
  // bn "gw/a", bu "V", v 0.5 in single precision; t 2, v 0.1 in double.
  const std::string_view end{"\xA3\x21\x64gw/a\x23\x61V\x02\xFA\x3F\0\0\0\xA2\x06\x02\x02\xFB\x3F\xB9\x99\x99\x99\x99\x99\x9A", 29};
  EXPECT_TRUE(bytes.ends_with(end));
}

TEST_F(MessageSenml, CountsTimeFromNowWhereUtcIsUnknown) {
  EXPECT_TRUE(pack(SenmlForm::json, kUnknown).starts_with(R"([{"bn":"gw/fieldpost","bt":-1.1,"n":"/epoch")"));
  EXPECT_EQ(json(kUnknown), R"(time_trusted","vb":false}])");
  EXPECT_EQ(pack(SenmlForm::json, kUnknown).find("time_error"), std::string::npos);
}

TEST_F(MessageSenml, IsRefusedWhereItWouldBeTooLong) {
  series("a", "");
  for (int i = 0; i < 100; ++i) sample(0, i, milliseconds{1'500 + i});
  for (const SenmlForm form : {SenmlForm::json, SenmlForm::cbor}) {
    const std::size_t size = pack(form).size();
    const MessageGround ground{"gw", kKnown, clock_};
    EXPECT_TRUE(to_senml(form, header_, content_, ground, {}, size).has_value());
    EXPECT_EQ(to_senml(form, header_, content_, ground, {}, size - 1).error().kind(), ErrorKind::OutOfRange);
  }
}

}  // namespace
}  // namespace fieldpost
