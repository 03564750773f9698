// SPDX-License-Identifier: Apache-2.0
#include "hal/attribute.hpp"

#include <gtest/gtest.h>

#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

class Counting final : public SampleSink {
 public:
  void accept(const Sample& sample) override { samples.push_back(sample); }
  std::vector<Sample> samples;
};

TEST(ReadAttributes, LeaveOutWhatCannotBeReadAndGoOn) {
  CapturedTree captured;
  captured.file("/a", "1500\n").file("/b", "").file("/c", "-4\n");
  std::vector<Attribute> attributes;
  for (const char* path : {"/a", "/b", "/c"}) {
    attributes.push_back({std::move(*captured.tree().keep(path)), static_cast<SeriesId>(path[1]), {0.001, 1}});
  }
  Counting sink;
  const auto failures = read_attributes(attributes, sink, BootTime{});
  ASSERT_TRUE(failures);
  EXPECT_EQ(*failures, 1U);
  ASSERT_EQ(sink.samples.size(), 2U);
  EXPECT_EQ(sink.samples[0].value.real(), 1.5);
  EXPECT_EQ(sink.samples[1].value.real(), -0.004);
}

TEST(ReadAttributes, FailWhenNotOneCouldBeRead) {
  CapturedTree captured;
  captured.file("/a", "word\n");
  std::vector<Attribute> attributes;
  attributes.push_back({std::move(*captured.tree().keep("/a")), {}, {}});
  Counting sink;
  const auto failures = read_attributes(attributes, sink, BootTime{});
  ASSERT_FALSE(failures);
  EXPECT_EQ(failures.error().kind(), ErrorKind::Malformed);
  attributes.clear();
  EXPECT_TRUE(read_attributes(attributes, sink, BootTime{})) << "nothing to read is no failure";
}

}  // namespace
}  // namespace fieldpost
