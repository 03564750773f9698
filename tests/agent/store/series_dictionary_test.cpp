// SPDX-License-Identifier: Apache-2.0
// Series come back as they were, at the bounds as well; anything else fails and never asks for more memory than
// its bytes are worth.
#include "agent/store/series_dictionary.hpp"

#include <gtest/gtest.h>

namespace fieldpost {
namespace {

Series series(std::string name, std::vector<Label> labels = {}, std::string unit = {}, SeriesKind kind = SeriesKind::gauge) {
  Series made;
  made.name = std::move(name);
  made.labels = std::move(labels);
  made.unit = std::move(unit);
  made.kind = kind;
  return made;
}

std::vector<std::byte> written(const std::vector<Series>& all) {
  std::vector<const Series*> pointers;
  for (const Series& one : all) pointers.push_back(&one);
  ByteWriter out;
  write_dictionary(out, pointers);
  return std::move(out).take();
}

std::vector<Series> edges() {
  std::vector<Label> most;
  for (std::size_t i = 0; i < kSeriesLabelsMax; ++i) most.push_back({"l", ""});
  return {series(""), series(std::string(kSeriesBytesMax, 'n')), series("a", most, "bytes", SeriesKind::counter),
          series(std::string("\0\xff\"", 3), {{std::string("\0", 1), ""}}, "celsius", SeriesKind::state), series("a"), series("ab"), series("a")};
}

TEST(SeriesDictionary, GivesBackEmptyLongestAndStrangeSeries) {
  EXPECT_TRUE(written({}).size() == 1);
  const auto bytes = written(edges());
  ByteReader in{bytes};
  const auto read = read_dictionary(in);
  EXPECT_FALSE(in.failed());
  EXPECT_EQ(in.remaining(), 0U);
  ASSERT_EQ(read.size(), edges().size());
  for (std::size_t i = 0; i < read.size(); ++i) {
    EXPECT_TRUE(fits_dictionary(read[i]));
    EXPECT_EQ(read[i].name, edges()[i].name);
    EXPECT_EQ(read[i].labels, edges()[i].labels);
    EXPECT_EQ(read[i].unit, edges()[i].unit);
    EXPECT_EQ(read[i].kind, edges()[i].kind);
  }
}

TEST(SeriesDictionary, RefusesOneByteAndOneLabelTooMany) {
  EXPECT_FALSE(fits_dictionary(series(std::string(kSeriesBytesMax, 'n'), {}, "x")));
  EXPECT_FALSE(fits_dictionary(series("", {{std::string(kSeriesBytesMax, 'n'), "v"}})));
  EXPECT_FALSE(fits_dictionary(series("", std::vector<Label>(kSeriesLabelsMax + 1))));
  EXPECT_TRUE(fits_dictionary(series("", {{std::string(kSeriesBytesMax, 'n'), ""}})));
}

TEST(SeriesDictionary, FailsAtEveryTruncation) {
  const auto bytes = written(edges());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    ByteReader in{std::span{bytes}.first(length)};
    read_dictionary(in);
    EXPECT_TRUE(in.failed()) << length;
  }
}

TEST(SeriesDictionary, FailsWhereANumberIsPastItsBound) {
  const auto fails = [](auto write) {
    ByteWriter out;
    write(out);
    const auto bytes = std::move(out).take();
    ByteReader in{bytes};
    read_dictionary(in);
    return in.failed();
  };
  EXPECT_TRUE(fails([](ByteWriter& out) { out.varint(SeriesTable::kSeriesMax + 1); }));
  EXPECT_TRUE(fails([](ByteWriter& out) { out.varint(~std::uint64_t{0}); }));
  // The first key shares nothing with a key before it.
  EXPECT_TRUE(fails([](ByteWriter& out) { out.varint(1), out.varint(1), out.varint(0); }));
  // Name, unit and label counts stay inside the key; the kind is one of three.
  const auto key = [](std::uint8_t kind, std::uint64_t labels) {
    return [kind, labels](ByteWriter& out) {
      ByteWriter one;
      one.text("n");
      one.text("");
      one.u8(kind);
      one.varint(labels);
      out.varint(1);
      out.varint(0);
      out.varint(one.size());
      out.bytes(one.view());
    };
  };
  EXPECT_FALSE(fails(key(2, 0)));
  EXPECT_TRUE(fails(key(3, 0)));
  EXPECT_TRUE(fails(key(2, 1)));
  EXPECT_TRUE(fails(key(2, kSeriesLabelsMax + 1)));
}

}  // namespace
}  // namespace fieldpost
