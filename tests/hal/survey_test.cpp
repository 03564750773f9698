// SPDX-License-Identifier: Apache-2.0
#include "hal/survey.hpp"

#include <gtest/gtest.h>

#include <array>

#include "tests/support/captured_tree.hpp"

namespace fieldpost {
namespace {

class Constant final : public Source {
 public:
  explicit Constant(SeriesId id) : id_{id} {}
  Result<void> read(SampleSink& sink, BootTime now) override {
    sink.accept({id_, 42, now});
    return {};
  }

 private:
  SeriesId id_;
};

Result<std::unique_ptr<Source>> open_constant(const SourceContext& context) {
  return std::make_unique<Constant>(TRY(context.series.add({"constant", {}, "", SeriesKind::gauge, ""})));
}

Result<std::unique_ptr<Source>> open_absent(const SourceContext&) {
  return Error{ErrorKind::NotPresent, "no such chip"};
}

TEST(Survey, ListsWhatWasReadAndWhyTheRestWasNot) {
  const std::array drivers{
      Driver{"absent", "sensors", "", Driver::Reads::on_loop, true, {}, open_absent},
      Driver{"constant", "host", "", Driver::Reads::on_worker, true, {}, open_constant},
      Driver{"off", "host", "", Driver::Reads::on_loop, false, {}, open_constant},
  };
  const CapturedTree captured;
  const Survey found = survey(captured.tree(), drivers, BootTime{seconds{5}});
  ASSERT_EQ(found.sources.size(), 2U) << "a driver that is off by default is not opened";
  ASSERT_TRUE(found.sources[0].absent);
  EXPECT_EQ(found.sources[0].absent->sentence(), "no such chip");
  EXPECT_FALSE(found.sources[1].absent);
  ASSERT_EQ(found.samples().size(), 1U);
  EXPECT_EQ(found.samples()[0].value.integer(), 42);
  EXPECT_EQ(found.samples()[0].time, BootTime{seconds{5}});
  EXPECT_EQ((*found.series)[found.samples()[0].series].name, "constant");
}

TEST(Survey, OfAnEmptyTreeFindsNothingAndFailsNowhere) {
  const CapturedTree captured;
  for (const auto& source : survey(captured.tree(), driver_table(), BootTime{}).sources) {
    ASSERT_TRUE(source.absent) << source.driver->name;
    EXPECT_EQ(source.absent->kind(), ErrorKind::NotPresent) << source.driver->name << ": " << source.absent->sentence();
  }
}

}  // namespace
}  // namespace fieldpost
