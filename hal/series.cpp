// SPDX-License-Identifier: Apache-2.0
// The table of series and the text that names one.
#include "hal/series.hpp"

namespace fieldpost {
namespace {

/// Label values are escaped as the Prometheus text format asks: backslash, quote, line feed.
void append_escaped(std::string& text, std::string_view value) {
  for (const char c : value) {
    switch (c) {
      case '\\': text += "\\\\"; break;
      case '"': text += "\\\""; break;
      case '\n': text += "\\n"; break;
      default: text += c;
    }
  }
}

}  // namespace

std::string_view to_string(SeriesKind kind) noexcept {
  switch (kind) {
    case SeriesKind::counter: return "counter";
    case SeriesKind::gauge: return "gauge";
    case SeriesKind::state: return "state";
  }
  return "gauge";
}

std::string to_text(const Series& series) {
  std::string text = series.name;
  if (series.labels.empty()) return text;
  char before = '{';
  for (const Label& label : series.labels) {
    text += before;
    text += label.name;
    text += "=\"";
    append_escaped(text, label.value);
    text += '"';
    before = ',';
  }
  text += '}';
  return text;
}

SeriesTable::SeriesTable() { series_.reserve(kSeriesMax); }

Result<SeriesId> SeriesTable::add(Series series) {
  std::string text = to_text(series);
  const std::lock_guard lock{adding_};
  if (const auto known = by_text_.find(text); known != by_text_.end()) return known->second;
  if (series_.size() == kSeriesMax) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return Error{ErrorKind::Full, text + ": the table of series is full (" +
                                      std::to_string(kSeriesMax) + ")"};
  }
  const auto id = static_cast<SeriesId>(series_.size());
  series_.push_back(std::move(series));
  by_text_.emplace(std::move(text), id);
  size_.store(series_.size(), std::memory_order_release);
  return id;
}

}  // namespace fieldpost
