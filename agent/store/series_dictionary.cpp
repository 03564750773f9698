// SPDX-License-Identifier: Apache-2.0
// A series becomes a key (texts with their lengths in front, so that any byte may occur in them);
// keys are stored as "so many bytes as before, then these".
#include "agent/store/series_dictionary.hpp"

#include <algorithm>

namespace fieldpost {
namespace {

/// Bounds what a damaged or hostile count can make us allocate.
constexpr std::size_t kKeyBytesMax = kSeriesBytesMax + 3 * (2 * kSeriesLabelsMax + 4);

void write_key(ByteWriter& out, const Series& series) {
  out.text(series.name);
  out.text(series.unit);
  out.u8(static_cast<std::uint8_t>(series.kind));
  out.varint(series.labels.size());
  for (const Label& label : series.labels) {
    out.text(label.name);
    out.text(label.value);
  }
}

Series read_key(ByteReader& in) {
  Series series;
  series.name = in.text(kSeriesBytesMax);
  series.unit = in.text(kSeriesBytesMax);
  const std::uint8_t kind = in.u8();
  if (kind > static_cast<std::uint8_t>(SeriesKind::state)) in.fail();
  series.kind = static_cast<SeriesKind>(in.failed() ? 0 : kind);
  series.labels.resize(in.count(kSeriesLabelsMax));
  for (Label& label : series.labels) {
    label.name = in.text(kSeriesBytesMax);
    label.value = in.text(kSeriesBytesMax);
  }
  if (in.remaining() != 0) in.fail();
  return series;
}

}  // namespace

bool fits_dictionary(const Series& series) noexcept {
  std::size_t bytes = series.name.size() + series.unit.size();
  for (const Label& label : series.labels) bytes += label.name.size() + label.value.size();
  return bytes <= kSeriesBytesMax && series.labels.size() <= kSeriesLabelsMax;
}

void write_dictionary(ByteWriter& out, std::span<const Series* const> series) {
  ByteWriter key;
  ByteWriter before;
  out.varint(series.size());
  for (const Series* one : series) {
    key.clear();
    write_key(key, *one);
    const auto now = key.view();
    const auto then = before.view();
    const auto differs = std::mismatch(now.begin(), now.end(), then.begin(), then.end()).first;
    const auto shared = static_cast<std::size_t>(differs - now.begin());
    out.varint(shared);
    out.varint(now.size() - shared);
    out.bytes(now.subspan(shared));
    std::swap(key, before);
  }
}

std::vector<Series> read_dictionary(ByteReader& in) {
  std::vector<Series> series;
  std::vector<std::byte> key;
  const std::size_t count = in.count(SeriesTable::kSeriesMax);
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    key.resize(in.count(key.size()));
    const auto rest = in.bytes(in.count(kKeyBytesMax - std::min(kKeyBytesMax, key.size())));
    key.insert(key.end(), rest.begin(), rest.end());
    if (in.failed()) break;
    ByteReader key_reader{key};
    series.push_back(read_key(key_reader));
    if (key_reader.failed()) in.fail();
  }
  return series;
}

}  // namespace fieldpost
