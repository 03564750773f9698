// SPDX-License-Identifier: Apache-2.0
// Kinds, sentences and TRY.
#include "platform/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace fieldpost {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return Error{ErrorKind::OutOfRange, "odd"};
  return number / 2;
}

Result<int> quarter(int number) {
  const int once = TRY(half(number));
  return TRY(half(once).with_context("second half"));
}

TEST(Result, TryGivesTheValueOrReturnsTheError) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(7).error().sentence(), "odd");
  EXPECT_EQ(quarter(6).error().sentence(), "second half: odd");
}

TEST(Result, TryWorksOnResultsWithoutAValue) {
  const auto call = [](bool well) -> Result<void> {
    TRY(well ? Result<void>{} : Result<void>{Error{ErrorKind::Full, "no room"}});
    return {};
  };
  EXPECT_TRUE(call(true));
  EXPECT_EQ(call(false).error().kind(), ErrorKind::Full);
}

TEST(Result, TryMovesWhatCannotBeCopied) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  const auto take = [&]() -> Result<int> {
    const std::unique_ptr<int> number = TRY(make());
    return *number;
  };
  EXPECT_EQ(take().value(), 7);
}

TEST(Result, ContextReadsFromOutsideIn) {
  const Error error{ErrorKind::Io, "disk on fire"};
  const Error told = error.with_context("segment 3").with_context("outbox");
  EXPECT_EQ(told.sentence(), "outbox: segment 3: disk on fire");
  EXPECT_EQ(told.kind(), ErrorKind::Io);
}

TEST(Result, ErrnoDecidesTheKind) {
  EXPECT_EQ(errno_error("x", ENOENT).kind(), ErrorKind::NotPresent);
  EXPECT_EQ(errno_error("x", ENODEV).kind(), ErrorKind::NotPresent);
  EXPECT_EQ(errno_error("x", EACCES).kind(), ErrorKind::Denied);
  EXPECT_EQ(errno_error("x", EROFS).kind(), ErrorKind::Denied);
  EXPECT_EQ(errno_error("x", ENOSPC).kind(), ErrorKind::Full);
  EXPECT_EQ(errno_error("x", EDQUOT).kind(), ErrorKind::Full);
  EXPECT_EQ(errno_error("x", EAGAIN).kind(), ErrorKind::Unavailable);
  EXPECT_EQ(errno_error("x", ETIMEDOUT).kind(), ErrorKind::Timeout);
  EXPECT_EQ(errno_error("x", EIO).kind(), ErrorKind::Io);
}

TEST(Result, ErrnoErrorsSayWhatAndWhy) {
  EXPECT_EQ(errno_error("open /proc/stat", ENOENT).sentence(), "open /proc/stat: No such file or directory");
}

TEST(Result, EachKindHasItsOwnName) {
  EXPECT_EQ(to_string(ErrorKind::NotPresent), "not present");
  EXPECT_EQ(to_string(ErrorKind::Io), "input/output error");
  EXPECT_EQ(to_string(ErrorKind::Malformed), "malformed");
  EXPECT_EQ(to_string(ErrorKind::Timeout), "timeout");
  EXPECT_EQ(to_string(ErrorKind::Unavailable), "unavailable");
  EXPECT_EQ(to_string(ErrorKind::OutOfRange), "out of range");
  EXPECT_EQ(to_string(ErrorKind::Full), "full");
  EXPECT_EQ(to_string(ErrorKind::Denied), "denied");
  EXPECT_EQ(to_string(ErrorKind::Bug), "bug");
}

}  // namespace
}  // namespace fieldpost
