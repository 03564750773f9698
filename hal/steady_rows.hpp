// SPDX-License-Identifier: Apache-2.0
// The rows of a kernel table (a line of diskstats, a key of meminfo, a network link) come in the same
// order at every read, until a device comes or goes. So what belongs to a row is remembered by its
// position, and looked up by its key only when that is not what stands there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fieldpost {

template <typename Row>
class SteadyRows {
 public:
  /// Starts a new pass. After much coming and going the rows of devices long gone are forgotten.
  void rewind() {
    if (rows_.size() > 2 * met_ + kGoneRowsKept) rows_.clear();
    met_ = 0;
    next_ = 0;
  }

  /// The row of `key`; `make(key)` makes it when it is met for the first time.
  template <typename Make>
  Row& row(std::string_view key, Make&& make) {
    ++met_;
    if (next_ < rows_.size() && rows_[next_].first == key) return rows_[next_++].second;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].first != key) continue;
      next_ = i + 1;
      return rows_[i].second;
    }
    const auto place = rows_.begin() + static_cast<std::ptrdiff_t>(next_ < rows_.size() ? next_ : rows_.size());
    const auto made = rows_.emplace(place, std::string{key}, make(key));
    next_ = static_cast<std::size_t>(made - rows_.begin()) + 1;
    return made->second;
  }

  std::size_t size() const noexcept { return rows_.size(); }

 private:
  static constexpr std::size_t kGoneRowsKept = 16;

  std::vector<std::pair<std::string, Row>> rows_;
  std::size_t next_ = 0;
  std::size_t met_ = 0;
};

}  // namespace fieldpost
