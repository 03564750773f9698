// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/segment_places.hpp"

#include <algorithm>

namespace fieldpost {
namespace {

constexpr std::size_t kPage = 1024;
constexpr std::size_t kLogHeader = 32;
constexpr std::size_t kFrameHeader = 24;
/// Length, row, header of the record: never longer than this in front of a body.
constexpr std::size_t kCellHeader = 18;
constexpr std::size_t kSegmentHeader = 84;

std::size_t number(SegmentPlaces::Bytes bytes, std::size_t at, std::size_t count) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value = value << 8U | std::to_integer<std::size_t>(bytes[at + i]);
  return value;
}

}  // namespace

SegmentPlaces::SegmentPlaces(Bytes database, Bytes log) {
  for (std::size_t at = 0; at + kPage <= database.size(); at += kPage) pages_.push_back({database.subspan(at, kPage), at});
  if (log.size() < kLogHeader) return;
  for (std::size_t at = kLogHeader; at + kFrameHeader + kPage <= log.size(); at += kFrameHeader + kPage) {
    // Frames of before the log began anew have other salts.
    if (!std::equal(&log[at + 8], &log[at + 16], &log[16])) break;
    const std::size_t page = number(log, at, 4);
    if (page > pages_.size()) pages_.resize(page, Page{});
    pages_[page - 1] = {log.subspan(at + kFrameHeader, kPage), std::nullopt};
  }
}

std::optional<SegmentPlaces::Place> SegmentPlaces::of(Bytes segment) const {
  Place place;
  bool is_found = false;
  for (std::size_t page = 1; page < pages_.size(); ++page) {
    const Bytes bytes = pages_[page].bytes;
    for (auto from = bytes.begin();;) {
      const auto found = std::search(from, bytes.end(), segment.begin(), segment.begin() + kSegmentHeader);
      if (found == bytes.end()) break;
      const auto at = static_cast<std::size_t>(found - bytes.begin());
      Place one;
      if (follow(page, at, segment, one)) {
        is_found = true;
        place.own.insert(place.own.end(), one.own.begin(), one.own.end());
        if (const auto begin = pages_[page].at) {
          const std::size_t header = std::min(at, kCellHeader);
          place.own.emplace_back(*begin + at - header, header);
          place.pointers.emplace_back(*begin, 8 + 2 * number(bytes, 3, 2));
        }
      }
      from = found + 1;
    }
  }
  if (!is_found) return std::nullopt;
  return place;
}

/// How much of it is in a page is found by trying: the longest that goes on rightly in the page whose number stands behind it.
bool SegmentPlaces::follow(std::size_t page, std::size_t at, Bytes segment, Place& place) const {
  const Page& here = pages_[page];
  if (here.bytes.empty()) return false;
  const bool is_chain = at == 4;
  const auto rest = here.bytes.subspan(at);
  const auto same = static_cast<std::size_t>(std::mismatch(segment.begin(), segment.end(), rest.begin(), rest.end()).first - segment.begin());
  const auto note = [&](std::size_t count) {
    if (here.at) place.own.emplace_back(*here.at + (is_chain ? 0 : at), count + 4);
    return true;
  };
  if (same == segment.size()) return note(same);
  for (std::size_t count = same; count + 8 > same && count > 0; --count) {
    if (!is_chain && at + count + 4 > kPage) continue;
    const std::size_t next = is_chain ? number(here.bytes, 0, 4) : number(rest, count, 4);
    if (next == 0 || next > pages_.size() || next - 1 == page) continue;
    if (follow(next - 1, 4, segment.subspan(count), place)) return note(count);
    if (is_chain) break;
  }
  return false;
}

}  // namespace fieldpost
