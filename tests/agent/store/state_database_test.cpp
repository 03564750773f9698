// SPDX-License-Identifier: Apache-2.0
// Whatever happens to one of state.db and its mirror, what was stored is there.
#include "agent/store/state_database.hpp"

#include <gtest/gtest.h>

#include "platform/crc32c.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

constexpr UtcTime kNow{seconds{1'767'268'800}};

StoredState some_state() {
  StoredState state;
  state.epoch = 0xFEDC'BA98'7654'3210;
  state.boots = {{"boot-a", seconds{100}, milliseconds{3}, BootRow::Source::kernel, BootTime{seconds{50}}, BootTime{seconds{20}},
                  BootTime{seconds{45}}},
                 {"boot-b", seconds{-5}, nanoseconds{0}, BootRow::Source::none, BootTime{seconds{1}}, BootTime{seconds{1}}, BootTime{seconds{1}}}};
  return state;
}

class StateDatabaseTest : public testing::Test {
 protected:
  StateDatabase::Opened open() {
    auto opened = StateDatabase::open(directory_.path(), "", kNow);
    EXPECT_TRUE(opened) << opened.error().sentence();
    return std::move(*opened);
  }
  void store(const StoredState& state) {
    auto opened = open();
    ASSERT_TRUE(opened.database.store(state));
  }

  TemporaryDirectory directory_;
};

TEST_F(StateDatabaseTest, IsEmptyAtFirstAndKeepsWhatIsStored) {
  EXPECT_EQ(open().database.state(), StoredState{});
  store(some_state());
  EXPECT_EQ(open().database.state(), some_state());
}

TEST_F(StateDatabaseTest, ComesBackFromTheMirrorWhenTheDatabaseIsGone) {
  store(some_state());
  directory_.write("state.db", "");
  EXPECT_EQ(open().database.state(), some_state());
}

TEST_F(StateDatabaseTest, ComesBackFromTheDatabaseWhenTheMirrorIsGoneOrDamaged) {
  store(some_state());
  std::string mirror = directory_.read("state.mirror");
  mirror[20] = static_cast<char>(mirror[20] ^ 1);
  directory_.write("state.mirror", mirror);
  EXPECT_EQ(open().database.state(), some_state());
}

TEST_F(StateDatabaseTest, OpensWhateverBytesStandInTheDatabaseAndNeverLies) {
  store(some_state());
  const std::string whole = directory_.read("state.db");
  ASSERT_GT(whole.size(), 4096U);
  for (std::size_t i = 0; i < whole.size(); i += i < 200 ? 1 : 97) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0xFF);
    directory_.write("state.db", damaged);
    auto opened = StateDatabase::open(directory_.path(), "", kNow);
    ASSERT_TRUE(opened) << "byte " << i << ": " << opened.error().sentence();
    ASSERT_EQ(opened->database.state(), some_state()) << "byte " << i;
  }
}

TEST_F(StateDatabaseTest, SaysAsWhatADamagedDatabaseIsKept) {
  store(some_state());
  directory_.write("state.db", std::string(8192, 'x'));
  const auto opened = open();
  EXPECT_NE(opened.set_aside_as.find("state.db.damaged-"), std::string::npos);
  EXPECT_EQ(opened.database.state(), some_state());
}

TEST_F(StateDatabaseTest, SaysThatTheDirectoryIsMissing) {
  const auto opened = StateDatabase::open(directory_.file("nowhere"), "", kNow);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().kind(), ErrorKind::Malformed);
}

TEST(StateMirror, IsRefusedWithAnyByteChangedOrCut) {
  const std::string whole = to_mirror(some_state());
  ASSERT_EQ(from_mirror(whole), some_state());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_FALSE(from_mirror(damaged)) << i;
    EXPECT_FALSE(from_mirror(whole.substr(0, i))) << i;
  }
}

TEST(StateMirror, OfTheFirstVersionIsReadAsSureAtOneInstant) {
  // "boot-a" of some_state() alone, as it was written then.
  const unsigned char bytes[] = {0x46, 0x50, 0x53, 0x4D, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 6, 'b', 'o', 'o', 't', '-', 'a',
                                 20, 4, 1, 30};
  std::string mirror{reinterpret_cast<const char*>(bytes), sizeof bytes};
  const std::uint32_t crc = crc32c(std::as_bytes(std::span{mirror}.subspan(8)));
  for (unsigned i = 0; i < 4; ++i) mirror[4 + i] = static_cast<char>(crc >> (8 * i));
  const auto state = from_mirror(mirror);
  ASSERT_TRUE(state);
  ASSERT_EQ(state->boots.size(), 1U);
  const BootTime seen{nanoseconds{15}};
  EXPECT_EQ(state->boots[0], (BootRow{"boot-a", nanoseconds{10}, nanoseconds{2}, BootRow::Source::kernel, seen, seen, seen}));
}

TEST(StateMirror, OfALaterVersionIsReadAsFarAsItIsKnown) {
  const std::string whole = to_mirror(some_state());
  const auto with = [&whole](char version) {
    std::string content = whole.substr(8) + "more";
    content[0] = version;
    const std::uint32_t crc = crc32c(std::as_bytes(std::span{content}));
    std::string mirror = whole.substr(0, 4);
    for (unsigned shift = 0; shift < 32; shift += 8) mirror += static_cast<char>(crc >> shift);
    return mirror + content;
  };
  EXPECT_EQ(from_mirror(with(3)), some_state());
  EXPECT_FALSE(from_mirror(with(2)));
  EXPECT_FALSE(from_mirror(with(0)));
}

}  // namespace
}  // namespace fieldpost
