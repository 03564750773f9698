// SPDX-License-Identifier: Apache-2.0
// On which bytes of an undamaged outbox.db each segment relies, found by looking for its bytes: what damage does not touch must come
// back out of a damaged one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace fieldpost {

class SegmentPlaces {
 public:
  using Bytes = std::span<const std::byte>;
  /// First byte and length in the database; none for what lies in its log.
  using Ranges = std::vector<std::pair<std::size_t, std::size_t>>;

  struct Place {
    Ranges own;       ///< its cell, and its part of every page in its chain
    Ranges pointers;  ///< beside that: what its page says of where its cells are
  };

  /// As a killed store left them. Both are lent and outlive it.
  SegmentPlaces(Bytes database, Bytes log);
  /// Nothing if the segment is not there. Copies of it that lie in free space are part of it here.
  std::optional<Place> of(Bytes segment) const;

 private:
  struct Page {
    Bytes bytes;
    std::optional<std::size_t> at;  ///< in the database; nothing: it is in the log
  };
  bool follow(std::size_t page, std::size_t at, Bytes segment, Place& place) const;

  std::vector<Page> pages_;
};

}  // namespace fieldpost
