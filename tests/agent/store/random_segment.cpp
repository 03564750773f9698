// SPDX-License-Identifier: Apache-2.0
// Each series gets a shape of values; shapes are those of real metrics and those meant to hurt.
#include "tests/agent/store/random_segment.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace fieldpost {
namespace {

class Maker {
 public:
  Maker(std::uint64_t seed, bool is_plain) : chance_{seed}, is_plain_{is_plain} {}

  RandomSegment make() {
    RandomSegment made;
    SegmentHeader& header = made.header;
    header.epoch = chance_();
    header.seq = is_plain_ ? below(1U << 30U) + 1 : chance_();
    header.lane = kLanes[below(kLanes.size())];
    header.boot = boot_id();
    start_ = BootTime{nanoseconds{static_cast<std::int64_t>(below(1'000'000'000'000'000))}};
    header.first = start_;
    header.last = start_ + seconds{10};
    SegmentContent& content = made.content;
    const std::size_t series_count = below(4) == 0 ? 0 : below(40) + 1;
    for (std::size_t i = 0; i < series_count; ++i) content.series.push_back(series(i));
    make_ticks();
    for (std::size_t i = 0; i < series_count; ++i) {
      if (below(5) != 0) add_samples(content, i);
      if (below(3) == 0) add_summaries(content, i);
    }
    if (below(3) == 0) {
      for (std::uint64_t i = below(5); i > 0; --i) content.events.push_back(event());
    }
    if (below(3) == 0) {
      for (std::uint64_t i = below(5); i > 0; --i) content.gaps.push_back(gap());
    }
    header.samples = static_cast<std::uint32_t>(content.samples.size());
    header.summaries = static_cast<std::uint32_t>(content.summaries.size());
    header.events = static_cast<std::uint32_t>(content.events.size());
    header.gaps = static_cast<std::uint32_t>(content.gaps.size());
    header.first_seq = header.seq;
    if (below(3) == 0) {  // made of several
      header.first_seq -= std::min(header.seq, below(1'000));
      header.is_thinned = below(2) == 0;
      if (header.is_thinned && below(2) == 0) {
        const auto of = static_cast<std::uint8_t>(2 + below(kSegmentPartsMax - 1));
        header.part = {.first_seq = header.first_seq - std::min(header.first_seq, below(100)), .last_seq = header.seq + std::min(~header.seq, below(100)),
                       .number = static_cast<std::uint8_t>(1 + below(of)), .of = of};
      }
    }
    return made;
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return chance_() % limit; }

  std::string boot_id() {
    std::string text = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    for (char& c : text) {
      if (c == 'x') c = "0123456789abcdef"[below(16)];
    }
    return text;
  }

  std::string text(std::size_t length_max) {
    std::string made(below(length_max + 1), ' ');
    for (char& c : made) c = static_cast<char>(is_plain_ ? 'a' + static_cast<char>(below(26)) : static_cast<char>(below(256)));
    return made;
  }

  std::vector<Label> labels(std::size_t count) {
    std::vector<Label> made;
    for (std::size_t i = 0; i < count; ++i) made.push_back({"l" + std::to_string(i) + text(3), text(12)});
    return made;
  }

  Series series(std::size_t number) {
    Series made;
    made.name = "node_thing_" + std::to_string(number / 4) + "_total" + text(4);
    made.labels = labels(below(4));
    if (below(50) == 0 && !is_plain_) made.labels.push_back({std::string{}, std::string(2'000, '\0')});
    made.unit = std::array{"", "bytes", "seconds", "celsius"}[below(4)];
    made.kind = static_cast<SeriesKind>(below(3));
    return made;
  }

  void make_ticks() {
    const std::uint64_t count = below(30) + 1;
    BootTime at = start_;
    for (std::uint64_t i = 0; i < count; ++i) {
      ticks_.push_back(at);
      at += milliseconds{1'000} + nanoseconds{static_cast<std::int64_t>(below(2) * below(4'000'000))};
    }
  }

  BootTime any_time() {
    if (is_plain_) return start_ + milliseconds{static_cast<std::int64_t>(below(86'400'000))};
    switch (below(6)) {
      case 0: return BootTime{nanoseconds{std::numeric_limits<std::int64_t>::max()}};
      case 1: return BootTime{nanoseconds{std::numeric_limits<std::int64_t>::min()}};
      case 2: return BootTime{nanoseconds{static_cast<std::int64_t>(chance_())}};
      default: return start_ + nanoseconds{static_cast<std::int64_t>(below(1'000'000'000'000))};
    }
  }

  Value hostile() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    switch (below(12)) {
      case 0: return std::bit_cast<double>(0x7FF0'0000'0000'0000ULL | (chance_() >> 12U));  // NaN with a payload
      case 1: return kInfinity;
      case 2: return -kInfinity;
      case 3: return -0.0;
      case 4: return std::numeric_limits<double>::denorm_min();
      case 5: return std::numeric_limits<double>::max();
      case 6: return std::numeric_limits<std::int64_t>::min();
      case 7: return std::numeric_limits<std::int64_t>::max();
      case 8: return (std::int64_t{1} << 53) + static_cast<std::int64_t>(below(5)) - 2;
      case 9: return static_cast<double>(std::int64_t{1} << 53) - static_cast<double>(below(3));
      case 10: return std::bit_cast<double>(chance_());
      default: return static_cast<std::int64_t>(chance_());
    }
  }

  void add_samples(SegmentContent& content, std::size_t number) {
    const std::uint64_t shape = below(9);
    std::int64_t counter = static_cast<std::int64_t>(chance_() >> (below(60) + 2));
    double walk = static_cast<double>(below(100'000)) / 100;
    const Value constant = below(2) == 0 ? Value{counter} : Value{walk};
    const bool is_odd = below(6) == 0;
    for (const BootTime tick : ticks_) {
      if (is_odd && below(2) == 0) continue;
      Sample sample{.series = static_cast<SeriesId>(number), .value = {}, .time = tick, .quality = Quality::good};
      if (below(40) == 0) sample.time = any_time();
      if (below(20) == 0) sample.quality = static_cast<Quality>(below(3));
      switch (shape) {
        case 0: sample.value = constant; break;
        case 1: sample.value = (counter = static_cast<std::int64_t>(static_cast<std::uint64_t>(counter) + below(2'000))); break;
        case 2: sample.value = (counter = static_cast<std::int64_t>(static_cast<std::uint64_t>(counter) + 1'000)); break;
        case 3: walk = std::round((walk + static_cast<double>(below(200)) / 100 - 1) * 100) / 100; sample.value = walk; break;
        case 4: sample.value = std::sin(walk += 0.01); break;
        case 5: sample.value = std::bit_cast<double>(chance_()); break;
        case 6: sample.value = static_cast<std::int64_t>(chance_()); break;
        case 7: sample.value = below(2) == 0 ? Value{static_cast<double>(below(100))} : Value{below(100)}; break;
        default: sample.value = hostile();
      }
      content.samples.push_back(sample);
    }
  }

  double any_double() { return below(3) == 0 && !is_plain_ ? std::bit_cast<double>(chance_()) : static_cast<double>(below(1'000'000)) / 64; }

  Value any_value() {
    if (below(8) == 0) return hostile();
    return below(2) == 0 ? Value{static_cast<std::int64_t>(below(1'000'000))} : Value{any_double()};
  }

  void add_summaries(SegmentContent& content, std::size_t number) {
    const std::uint64_t count = below(3) + 1;
    for (std::uint64_t i = 0; i < count; ++i) {
      Summary summary;
      summary.series = static_cast<SeriesId>(number);
      summary.start = below(10) == 0 ? any_time() : start_ + seconds{60 * static_cast<std::int64_t>(i)};
      summary.end = below(10) == 0 ? any_time() : start_ + seconds{60 * static_cast<std::int64_t>(i + 1)};
      summary.count = below(10) == 0 ? static_cast<std::uint32_t>(chance_()) : 60;
      summary.count = std::max(summary.count, 1U);
      summary.min = any_value();
      summary.max = any_value();
      summary.last = any_value();
      summary.sum = any_double();
      summary.stddev = any_double();
      if (below(2) == 0) {
        for (const double rank : {0.5, 0.95, 0.99}) summary.quantiles.push_back({rank, any_double()});
      }
      if (below(2) == 0) summary.increase = any_double();
      summary.resets = static_cast<std::uint32_t>(below(3));
      summary.quality = static_cast<Quality>(below(3));
      content.summaries.push_back(std::move(summary));
    }
  }

  Event event() {
    Event made;
    made.name = "cpu_hot" + text(5);
    made.labels = labels(below(3));
    made.severity = static_cast<Severity>(below(4));
    made.time = any_time();
    made.value = below(3) == 0 ? std::nan("") : any_double();
    made.message = text(below(10) == 0 ? 1'000 : 60);
    return made;
  }

  Gap gap() {
    Gap made;
    made.cause = static_cast<Gap::Cause>(below(7));
    made.lane = kLanes[below(kLanes.size())];
    made.readings = is_plain_ ? below(1U << 30U) : chance_();
    if (below(2) == 0) {
      made.epoch = chance_();
      made.first_seq = is_plain_ ? below(1000) + 1 : chance_() >> 1U;
      made.last_seq = made.first_seq + below(50);
    }
    if (below(2) == 0) {
      made.boot = boot_id();
      made.first = any_time();
      made.last = any_time();
    }
    return made;
  }

  std::mt19937_64 chance_;
  bool is_plain_;
  BootTime start_;
  std::vector<BootTime> ticks_;
};

std::string number(std::uint64_t value) { return std::to_string(value); }

bool same(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }

bool same(const Value& a, const Value& b) {
  if (a.is_integer() != b.is_integer()) return false;
  return a.is_integer() ? a.integer() == b.integer() : same(a.real(), b.real());
}

bool same(const Series& a, const Series& b) {
  return a.name == b.name && a.labels == b.labels && a.unit == b.unit && a.kind == b.kind;
}

bool same(const Sample& a, const Sample& b) {
  return a.series == b.series && same(a.value, b.value) && a.time == b.time && a.quality == b.quality;
}

bool same(const Quantile& a, const Quantile& b) { return same(a.rank, b.rank) && same(a.value, b.value); }

bool same(const Summary& a, const Summary& b) {
  const bool quantiles = std::equal(a.quantiles.begin(), a.quantiles.end(), b.quantiles.begin(), b.quantiles.end(),
                                    [](const Quantile& x, const Quantile& y) { return same(x, y); });
  const bool increases = a.increase.has_value() == b.increase.has_value() && (!a.increase || same(*a.increase, *b.increase));
  return a.series == b.series && a.start == b.start && a.end == b.end && a.count == b.count && same(a.min, b.min) &&
         same(a.max, b.max) && same(a.last, b.last) && same(a.sum, b.sum) && same(a.stddev, b.stddev) && quantiles &&
         increases && a.resets == b.resets && a.quality == b.quality;
}

bool same(const Event& a, const Event& b) {
  return a.name == b.name && a.labels == b.labels && a.severity == b.severity && a.time == b.time && same(a.value, b.value) &&
         a.message == b.message;
}

bool same(const Gap& a, const Gap& b) {
  return a.cause == b.cause && a.lane == b.lane && a.readings == b.readings && a.epoch == b.epoch &&
         a.first_seq == b.first_seq && a.last_seq == b.last_seq && a.boot == b.boot && a.first == b.first && a.last == b.last;
}

template <typename T>
std::string difference_of(const char* what, const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return std::string{what} + ": " + number(a.size()) + " against " + number(b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same(a[i], b[i])) return std::string{what} + " " + number(i) + " differs";
  }
  return {};
}

}  // namespace

RandomSegment random_segment(std::uint64_t seed) { return Maker{seed, false}.make(); }
RandomSegment random_plain_segment(std::uint64_t seed) { return Maker{seed, true}.make(); }

std::string difference(const SegmentContent& a, const SegmentContent& b) {
  for (const std::string& found :
       {difference_of("series", a.series, b.series), difference_of("sample", a.samples, b.samples),
        difference_of("summary", a.summaries, b.summaries), difference_of("event", a.events, b.events),
        difference_of("gap", a.gaps, b.gaps)}) {
    if (!found.empty()) return found;
  }
  return {};
}

std::string difference(const SegmentHeader& a, const SegmentHeader& b) {
  const bool equal = a.epoch == b.epoch && a.seq == b.seq && a.first_seq == b.first_seq && a.is_thinned == b.is_thinned && a.part == b.part && a.lane == b.lane && a.boot == b.boot && a.first == b.first &&
                     a.last == b.last && a.samples == b.samples && a.summaries == b.summaries && a.events == b.events &&
                     a.gaps == b.gaps;
  return equal ? "" : "the headers differ";
}

}  // namespace fieldpost
