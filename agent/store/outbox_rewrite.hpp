// SPDX-License-Identifier: Apache-2.0
// Puts fewer segments in the place of several, inside a transaction: merged so that weeks fit, or thinned so that nothing need be
// dropped yet. Only what was never handed out, so that no consumer can have it under another number. Inside the room only.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/store/outbox_transaction.hpp"
#include "agent/store/segment_run.hpp"

namespace fieldpost {

class OutboxRewrite {
 public:
  enum class Step : std::uint8_t {
    done,     ///< several became fewer
    skipped,  ///< those at the front stay as they are; there are more behind them
    wait,     ///< what is there does not fill a message yet
  };

  explicit OutboxRewrite(OutboxTransaction& work) : work_{work} {}

  /// The oldest that may be merged.
  /// Errors: as OutboxTransaction's
  Result<Step> merge(Lane lane);
  /// The oldest that may be thinned; true if that made room. A gap tells of it.
  Result<bool> thin(Lane lane);

  /// How many rows the latest step looked at.
  std::size_t rows() const noexcept { return taken_.size(); }

 private:
  using Row = OutboxTransaction::Row;
  Result<Step> merge(Lane lane, const std::vector<Row>& rows);
  Result<void> gather(Lane lane, const std::vector<Row>& rows, SegmentRun& run);
  Result<void> replace(Lane lane, std::vector<EncodedSegment>& fresh);
  Result<std::vector<Row>> rows_after(Lane lane, std::int64_t done, std::size_t count);
  std::int64_t bytes_taken() const;
  std::uint64_t readings_taken() const;

  OutboxTransaction& work_;
  std::vector<Row> taken_;
  bool is_bounded_ = false;  ///< what comes behind the rows may have left the device
  bool is_cut_ = false;  ///< the estimate was too low: fewer rows than there are, and all that fit
};

}  // namespace fieldpost
