// SPDX-License-Identifier: Apache-2.0
// Opens and reads every default driver once and keeps what came of it.
#include "hal/survey.hpp"

namespace fieldpost {
namespace {

class SampleList final : public SampleSink {
 public:
  explicit SampleList(std::vector<Sample>& samples) : samples_{samples} {}
  void accept(const Sample& sample) override { samples_.push_back(sample); }

 private:
  std::vector<Sample>& samples_;
};

Result<void> read_once(const Driver& driver, const SourceContext& context, BootTime now,
                       std::vector<Sample>& samples) {
  const std::unique_ptr<Source> source = TRY(driver.open(context));
  SampleList list{samples};
  return source->read(list, now);
}

}  // namespace

std::vector<Sample> Survey::samples() const {
  std::vector<Sample> all;
  for (const SurveyedSource& source : sources) {
    all.insert(all.end(), source.samples.begin(), source.samples.end());
  }
  return all;
}

Survey survey(const FileTree& tree, std::span<const Driver> drivers, BootTime now) {
  Survey survey{std::make_unique<SeriesTable>(), {}};
  const OptionValues no_options;
  for (const Driver& driver : drivers) {
    if (!driver.on_by_default) continue;
    SurveyedSource& source = survey.sources.emplace_back();
    source.driver = &driver;
    const SourceContext context{tree, *survey.series, no_options, driver.name};
    if (auto read = read_once(driver, context, now, source.samples); !read) {
      source.absent = read.error();
    }
  }
  return survey;
}

}  // namespace fieldpost
