// SPDX-License-Identifier: Apache-2.0
// What windows share (borders, counts, asked-for ranks) costs next to nothing; a window's values are
// written as one run, for min, last, max and quantiles lie near each other.
#include "agent/store/summary_column.hpp"

#include <algorithm>
#include <bit>

#include "agent/store/integer_column.hpp"
#include "agent/store/segment.hpp"
#include "agent/store/value_column.hpp"

namespace fieldpost {
namespace {

/// Bits of a summary's flag byte.
constexpr unsigned kQualityMask = 0x03;
constexpr unsigned kHasIncrease = 0x04;

std::int64_t count_of(BootTime time) { return time.time_since_epoch().count(); }

template <typename Number>
void write_column(ByteWriter& out, std::span<const Summary> summaries, Differences differences, std::int64_t before,
                  const Number& number) {
  std::vector<std::int64_t> column;
  column.reserve(summaries.size());
  for (const Summary& summary : summaries) column.push_back(number(summary));
  write_integers(out, column, differences, before);
}

std::vector<std::int64_t> read_column(ByteReader& in, std::size_t count, Differences differences,
                                      std::int64_t before = 0) {
  std::vector<std::int64_t> column(count);
  if (!in.failed()) read_integers(in, column, differences, before);
  return column;
}

/// The distinct lists of ranks, and which of them each summary has.
void write_ranks(ByteWriter& out, std::span<const Summary> summaries) {
  std::vector<const std::vector<Quantile>*> distinct;
  std::vector<std::int64_t> chosen;
  const auto same_ranks = [](const std::vector<Quantile>& a, const std::vector<Quantile>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Quantile& x, const Quantile& y) {
      return std::bit_cast<std::uint64_t>(x.rank) == std::bit_cast<std::uint64_t>(y.rank);
    });
  };
  for (const Summary& summary : summaries) {
    const auto known = std::find_if(distinct.begin(), distinct.end(), [&](const auto* ranks) {
      return same_ranks(*ranks, summary.quantiles);
    });
    chosen.push_back(known - distinct.begin());
    if (known == distinct.end()) distinct.push_back(&summary.quantiles);
  }
  out.varint(distinct.size());
  for (const auto* ranks : distinct) {
    out.varint(ranks->size());
    for (const Quantile& quantile : *ranks) out.u64(std::bit_cast<std::uint64_t>(quantile.rank));
  }
  write_integers(out, chosen, Differences::delta);
}

void read_ranks(ByteReader& in, std::span<Summary> summaries) {
  std::vector<std::vector<Quantile>> distinct;
  const std::size_t distinct_count = in.count(summaries.size());
  for (std::size_t i = 0; i < distinct_count && !in.failed(); ++i) {
    std::vector<Quantile>& ranks = distinct.emplace_back(in.count(kSummaryQuantilesMax));
    for (Quantile& quantile : ranks) quantile.rank = std::bit_cast<double>(in.u64());
  }
  const auto chosen = read_column(in, summaries.size(), Differences::delta);
  for (std::size_t i = 0; i < summaries.size() && !in.failed(); ++i) {
    if (chosen[i] < 0 || static_cast<std::size_t>(chosen[i]) >= distinct.size()) return in.fail();
    summaries[i].quantiles = distinct[static_cast<std::size_t>(chosen[i])];
  }
}

void write_run(ByteWriter& out, ValueColumnWriter& writer, std::vector<Value>& run, const Summary& summary) {
  run.assign({summary.min, summary.last, summary.max});
  for (const Quantile& quantile : summary.quantiles) run.emplace_back(quantile.value);
  writer.write(out, run);
}

void read_run(ByteReader& in, std::vector<Value>& run, std::vector<std::int64_t>& scratch, Summary& summary) {
  run.resize(3 + summary.quantiles.size());
  read_values(in, run, scratch);
  if (in.failed()) return;
  summary.min = run[0];
  summary.last = run[1];
  summary.max = run[2];
  for (std::size_t i = 0; i < summary.quantiles.size(); ++i) {
    if (run[3 + i].is_integer()) return in.fail();  // a quantile is a double
    summary.quantiles[i].value = run[3 + i].real();
  }
}

/// One double of each summary that has it.
void write_doubles(ByteWriter& out, ValueColumnWriter& writer, std::vector<Value>& run) {
  if (!run.empty()) writer.write(out, run);
}

void read_doubles(ByteReader& in, std::vector<Value>& run, std::size_t count, std::vector<std::int64_t>& scratch) {
  run.resize(count);
  if (count == 0 || in.failed()) return;
  read_values(in, run, scratch);
  for (const Value& value : run) {
    if (!in.failed() && value.is_integer()) in.fail();
  }
}

}  // namespace

void write_summaries(ByteWriter& out, BootTime first, std::span<const Summary> summaries) {
  write_column(out, summaries, Differences::delta, -1, [](const Summary& s) { return std::int64_t{index(s.series)}; });
  write_column(out, summaries, Differences::delta, count_of(first), [](const Summary& s) { return count_of(s.start); });
  write_column(out, summaries, Differences::delta, 0, [](const Summary& s) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(count_of(s.end)) -
                                     static_cast<std::uint64_t>(count_of(s.start)));
  });
  write_column(out, summaries, Differences::delta, 0, [](const Summary& s) { return std::int64_t{s.count}; });
  write_column(out, summaries, Differences::delta, 0, [](const Summary& s) { return std::int64_t{s.resets}; });
  write_column(out, summaries, Differences::delta, 0, [](const Summary& s) {
    return static_cast<std::int64_t>(static_cast<unsigned>(s.quality) | (s.increase ? kHasIncrease : 0U));
  });
  write_ranks(out, summaries);

  ValueColumnWriter writer;
  std::vector<Value> run;
  for (const Summary& summary : summaries) write_run(out, writer, run, summary);
  run.clear();
  for (const Summary& summary : summaries) run.emplace_back(summary.sum);
  write_doubles(out, writer, run);
  run.clear();
  for (const Summary& summary : summaries) run.emplace_back(summary.stddev);
  write_doubles(out, writer, run);
  run.clear();
  for (const Summary& summary : summaries) {
    if (summary.increase) run.emplace_back(*summary.increase);
  }
  write_doubles(out, writer, run);
}

std::vector<Summary> read_summaries(ByteReader& in, BootTime first, std::size_t count, std::size_t series_count) {
  const auto series = read_column(in, count, Differences::delta, -1);
  const auto starts = read_column(in, count, Differences::delta, count_of(first));
  const auto lengths = read_column(in, count, Differences::delta);
  const auto counts = read_column(in, count, Differences::delta);
  const auto resets = read_column(in, count, Differences::delta);
  const auto flags = read_column(in, count, Differences::delta);
  if (in.failed()) return {};

  std::vector<Summary> summaries(count);
  std::size_t increases = 0;
  const auto is_u32 = [](std::int64_t n) { return n >= 0 && n <= std::int64_t{UINT32_MAX}; };
  for (std::size_t i = 0; i < count; ++i) {
    const bool known = series[i] >= 0 && static_cast<std::size_t>(series[i]) < series_count;
    const bool flags_ok = flags[i] >= 0 && flags[i] <= std::int64_t{kQualityMask | kHasIncrease} &&
                          (flags[i] & kQualityMask) <= static_cast<std::int64_t>(Quality::substituted);
    if (!known || !flags_ok || !is_u32(counts[i]) || !is_u32(resets[i])) {
      in.fail();
      return {};
    }
    summaries[i].series = static_cast<SeriesId>(series[i]);
    summaries[i].start = BootTime{nanoseconds{starts[i]}};
    summaries[i].end = BootTime{nanoseconds{static_cast<std::int64_t>(static_cast<std::uint64_t>(starts[i]) +
                                                                      static_cast<std::uint64_t>(lengths[i]))}};
    summaries[i].count = static_cast<std::uint32_t>(counts[i]);
    summaries[i].resets = static_cast<std::uint32_t>(resets[i]);
    summaries[i].quality = static_cast<Quality>(flags[i] & kQualityMask);
    if ((flags[i] & kHasIncrease) != 0) {
      summaries[i].increase = 0;
      ++increases;
    }
  }
  read_ranks(in, summaries);

  std::vector<Value> run;
  std::vector<std::int64_t> scratch;
  for (Summary& summary : summaries) {
    if (!in.failed()) read_run(in, run, scratch, summary);
  }
  read_doubles(in, run, count, scratch);
  for (std::size_t i = 0; i < count && !in.failed(); ++i) summaries[i].sum = run[i].real();
  read_doubles(in, run, count, scratch);
  for (std::size_t i = 0; i < count && !in.failed(); ++i) summaries[i].stddev = run[i].real();
  read_doubles(in, run, increases, scratch);
  std::size_t next = 0;
  for (Summary& summary : summaries) {
    if (summary.increase && !in.failed()) summary.increase = run[next++].real();
  }
  return summaries;
}

}  // namespace fieldpost
