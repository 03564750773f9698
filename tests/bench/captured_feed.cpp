// SPDX-License-Identifier: Apache-2.0
// See agent/commands/README.md for the format.
#include "tests/bench/captured_feed.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string_view>

#include "platform/json.hpp"

namespace fieldpost {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  std::fprintf(stderr, "%s: %s\n", path.c_str(), why.c_str());
  std::exit(1);
}

std::string unpacked(const std::string& path) {
  std::string text;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe{::popen(("gzip -dc '" + path + "'").c_str(), "r"), &::pclose};
  char part[65'536];
  std::size_t count = 0;
  while (pipe && (count = std::fread(part, 1, sizeof part, pipe.get())) > 0) text.append(part, count);
  return text;
}

Series series_of(const Json& json) {
  Series series;
  series.name = *json.at("name")->string();
  series.unit = *json.at("unit")->string();
  const std::string kind = *json.at("kind")->string();
  series.kind = kind == "counter" ? SeriesKind::counter : kind == "state" ? SeriesKind::state : SeriesKind::gauge;
  const Json labels = *json.at("labels");
  for (const std::string& name : labels.keys()) series.labels.push_back({name, *labels.at(name)->string()});
  return series;
}

Value value_of(const std::string& text) {
  if (text.find_first_not_of("-0123456789") == std::string::npos) return Value{std::int64_t{std::strtoll(text.c_str(), nullptr, 10)}};
  return Value{std::strtod(text.c_str(), nullptr)};
}

}  // namespace

CapturedFeed::CapturedFeed(SeriesTable& table, const std::string& path) {
  const std::string text = unpacked(path);
  std::map<std::uint64_t, Sample> newest;
  std::optional<nanoseconds> begin;
  nanoseconds now{};
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == '{') {
      const auto json = Json::parse(line);
      if (!json) refuse(path, json.error().sentence());
      const auto id = table.add(series_of(*json));
      if (!id) refuse(path, id.error().sentence());
      newest[static_cast<std::uint64_t>(*json->at("id")->integer())] = Sample{*id, {}, {}, Quality::good};
      series_.push_back(*id);
      continue;
    }
    if (line[0] == '@') {
      const nanoseconds instant{std::strtoll(line.c_str() + 1, nullptr, 10)};
      if (!begin) begin = instant;
      now = instant - *begin;
      continue;
    }
    const auto found = newest.find(std::strtoull(line.c_str(), nullptr, 10));
    if (found == newest.end()) refuse(path, "a sample of no series: " + line);
    const std::size_t space = line.find(' ');
    if (space != std::string::npos) found->second.value = value_of(line.substr(space + 1));
    found->second.time = BootTime{now};
    moments_.push_back({found->second, space != std::string::npos});
  }
  if (moments_.empty()) refuse(path, "no recording");
  length_ = std::chrono::ceil<seconds>(now + milliseconds{1});
}

void CapturedFeed::play(BootTime begin, nanoseconds from, nanoseconds step, const std::function<void(const Sample&, bool changed)>& take) {
  for (;;) {
    const nanoseconds at = length_ * static_cast<std::int64_t>(rounds_) + moments_[next_].sample.time.time_since_epoch();
    if (at >= from + step) return;
    Sample sample = moments_[next_].sample;
    sample.time = begin + at;
    take(sample, moments_[next_].changed);
    if (++next_ == moments_.size()) {
      next_ = 0;
      ++rounds_;
    }
  }
}

}  // namespace fieldpost
