// SPDX-License-Identifier: Apache-2.0
// A run of values (one series' samples, one column of summaries), in whichever way is shortest:
// integers as differences; doubles that are short decimals (most sensors and counters of seconds) as
// scaled integers; other doubles XORed with their neighbour; what nothing helps as it is. The choice
// is measured for each run and every bit pattern comes back, NaN payloads and minus zero included.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "agent/store/byte_reader.hpp"
#include "agent/store/byte_writer.hpp"
#include "hal/sample.hpp"

namespace fieldpost {

/// Keeps its scratch buffers from run to run.
class ValueColumnWriter {
 public:
  /// `values` must not be empty.
  void write(ByteWriter& out, std::span<const Value> values);

 private:
  void write_integers_or_doubles(ByteWriter& out, std::span<const Value> values);
  void write_mixed(ByteWriter& out, std::span<const Value> values);
  void keep_shorter(std::uint8_t head);
  void start_with(std::uint8_t head);

  std::vector<std::int64_t> integers_;
  ByteWriter best_;
  ByteWriter other_;
  std::uint8_t best_head_ = 0;
};

/// Fills `values`; on damage the reader has failed and `values` are anything.
void read_values(ByteReader& in, std::span<Value> values, std::vector<std::int64_t>& scratch);

}  // namespace fieldpost
