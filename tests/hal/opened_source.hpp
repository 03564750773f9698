// SPDX-License-Identifier: Apache-2.0
// A driver opened on a tree in a test, and what its reads gave, by the text of the series:
//
//     OpenedSource load{open_load, captured.tree()};
//     EXPECT_EQ(load.read().at("node_load1"), "0.1");
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "hal/exposition.hpp"
#include "hal/source.hpp"

namespace fieldpost {

/// The machine itself; lives as long as any source.
inline const FileTree& machine_tree() {
  static const FileTree tree{"/"};
  return tree;
}

class OpenedSource {
 public:
  using Open = Result<std::unique_ptr<Source>> (*)(const SourceContext&);

  /// `tree` is lent and outlives it.
  OpenedSource(Open open, const FileTree& tree, std::map<std::string, OptionValue, std::less<>> options = {})
      : options_{std::move(options)} {
    auto opened = open({tree, series, options_, "test"});
    if (opened) source_ = std::move(*opened);
    else error = opened.error();
  }

  /// Series text to value text. A failed open or read fails the test; see `error` for tests of errors.
  std::map<std::string, std::string> read(BootTime now = BootTime{}) {
    std::map<std::string, std::string> values;
    EXPECT_NE(source_, nullptr) << (error ? error->sentence() : "");
    if (source_ == nullptr) return values;
    Collecting sink{series, values};
    if (auto done = source_->read(sink, now); !done) error = done.error();
    else error.reset();
    return values;
  }

  bool is_open() const { return source_ != nullptr; }

  SeriesTable series;
  std::optional<Error> error;  ///< of open, or of the last read

 private:
  class Collecting final : public SampleSink {
   public:
    Collecting(const SeriesTable& series, std::map<std::string, std::string>& values)
        : series_{series}, values_{values} {}
    void accept(const Sample& sample) override {
      values_[to_text(series_[sample.series])] = to_prometheus_number(sample.value);
    }

   private:
    const SeriesTable& series_;
    std::map<std::string, std::string>& values_;
  };

  OptionValues options_;
  std::unique_ptr<Source> source_;
};

}  // namespace fieldpost
