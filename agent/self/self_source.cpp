// SPDX-License-Identifier: Apache-2.0
// Figures come in the same order at each read, so their series are found by position.
#include "agent/self/self_source.hpp"

#include <optional>
#include <string>

namespace fieldpost {

SelfSource::SelfSource(SeriesTable& series, Collect collect)
    : series_{series}, collect_{std::move(collect)} {}

Result<void> SelfSource::read(SampleSink& sink, BootTime now) {
  bool any = false;
  rows_.rewind();
  for (SelfFigure& figure : collect_()) {
    std::string key{figure.metric->name};
    for (const Label& label : figure.labels) key += "\n" + label.value;
    const auto id = rows_.row(key, [&](std::string_view) -> std::optional<SeriesId> {
      const auto added = add_series(series_, *figure.metric, std::move(figure.labels));
      return added ? std::optional{*added} : std::nullopt;
    });
    if (!id) continue;
    any = true;
    sink.accept({*id, figure.value, now});
  }
  if (!any) return Error{ErrorKind::Full, "no room for the agent's own series"};
  return {};
}

}  // namespace fieldpost
