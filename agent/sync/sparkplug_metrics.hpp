// SPDX-License-Identifier: Apache-2.0
// What an edge node of Sparkplug B (3.0.0) has told its hosts of: every metric with its alias, its datatype and its latest
// value. Births and data are written from here; when they go out is SparkplugSession's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/sync/flat_record.hpp"
#include "agent/sync/payload.hpp"

namespace fieldpost {

class SparkplugMetrics {
 public:
  /// `clock` is lent and outlives it.
  explicit SparkplugMetrics(const Clock& clock);

  /// The payloads of NDATA for a segment, but for their seq (put_seq): other messages may go in between.
  /// What was read before `connected_at`, in another boot, or `is_backlog`, is historical.
  /// Errors: OutOfRange, Malformed  as make_payload()
  Result<Payload> write_data(const OutgoingSegment& segment, const MessageGround& ground, BootTime connected_at, bool is_backlog,
                             std::size_t bytes_max);
  static void put_seq(std::string& payload, std::uint8_t seq);

  /// The payload of NBIRTH: all of it, with seq 0.
  std::string write_birth(std::uint8_t bd_seq);
  std::string write_death(std::uint8_t bd_seq) const;

  /// True from when a metric is met that the latest birth did not bear, or bore with another datatype.
  bool birth_due() const noexcept { return birth_due_; }
  void ask_for_birth() noexcept { birth_due_ = true; }

  std::size_t size() const noexcept { return metrics_.size(); }
  /// Nothing but what a message tells of itself is known any more; the next birth is due.
  void forget();
  /// Names come and go with devices; beyond so many it is time to forget.
  static constexpr std::size_t kMetricsMax = 40'000;

 private:
  friend class SparkplugRecordWriter;
  enum class Datatype : std::uint8_t { int64 = 4, real = 10, boolean = 11, text = 12 };
  struct Metric {
    std::string name;
    Datatype datatype{};
    bool has_value = false;
    Value value;
    std::int64_t unix_ms = 0;
  };
  std::size_t add(std::string name, Datatype datatype);
  std::size_t alias_of(const FlatRecord& record);
  std::int64_t now_ms() const;

  const Clock& clock_;
  std::vector<Metric> metrics_;  ///< by alias
  std::unordered_map<std::string, std::size_t> aliases_;
  bool birth_due_ = true;
  bool retyped_ = false;
};

/// Whether the payload of an NCMD asks for a birth.
bool asks_for_rebirth(std::string_view payload);

}  // namespace fieldpost
