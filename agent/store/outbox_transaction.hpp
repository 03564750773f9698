// SPDX-License-Identifier: Apache-2.0
// One change of the outbox while it is being made. Inside the room only: OutboxDatabase makes them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/store/outbox_database.hpp"

namespace fieldpost {

class OutboxTransaction {
 public:
  OutboxTransaction(OutboxDatabase& outbox, const OutboxMoment& moment)
      : outbox_{outbox}, sqlite_{outbox.database_}, moment_{moment}, waiting_{outbox.waiting_}, newest_row_{outbox.newest_row_},
        merged_to_{outbox.merged_to_}, thinned_to_{outbox.thinned_to_} {
    outcome_.newest_seq = outbox.newest_seq_;
  }

  /// Takes a segment out that the broker has. Nothing if there is no such row.
  /// Errors: Malformed, Full, Denied, Io; as every member here, and then the transaction is to be dropped
  Result<void> acknowledge(Lane lane, std::int64_t row);
  /// Takes one segment out and records what it bore as lost. Nothing if there is no such row.
  Result<void> drop(Lane lane, std::int64_t row, Gap::Cause cause);
  Result<void> drop_old();
  Result<void> record(const Gap& gap);
  /// Thins and drops what must go so that `segments` fit, those among them that must not go in included; what is
  /// left is inserted. `slack_pages`: how far to mistrust the estimate. What somebody has in hand stays.
  Result<void> insert(const std::vector<EncodedSegment>& segments, std::int64_t slack_pages);
  Result<void> report_gaps(const SegmentBuilder& builder, SegmentBuilder::Identity identity);
  Result<void> finish();

  const OutboxOutcome& outcome() const noexcept { return outcome_; }
  std::int64_t merged_to(Lane lane) const { return merged_to_[index(lane)]; }

  /// After the commit: the outbox takes over what has become true.
  OutboxOutcome settle();

 private:
  friend class OutboxRewrite;
  friend class Salvage;
  struct Meta {
    Epoch epoch = 0;
    std::uint64_t seq = 0;
    std::uint64_t first_seq = 0;
    bool is_merged = false;
    bool is_thinned = false;
    std::uint64_t readings = 0;
    std::uint64_t gaps = 0;
    std::int64_t bytes = 0;
    BootId boot;
    BootTime first;
    BootTime last;
  };
  struct Row {
    std::int64_t row = 0;
    Meta meta;
  };
  using Incoming = std::array<std::int64_t, kLanes.size()>;
  /// Rows of a lane beyond `after`, oldest first.
  Result<std::vector<Row>> rows_of(Lane lane, std::int64_t after, std::size_t count);
  Result<std::optional<Meta>> meta_of(Lane lane, std::int64_t row);
  /// That nobody has in hand.
  Result<std::optional<std::int64_t>> oldest_row(Lane lane);
  /// Empty if it is not there, or cannot be read for good.
  Result<std::vector<std::byte>> body_of(std::int64_t row);
  Result<void> remove_body(std::int64_t row);
  Result<void> remove(Lane lane, std::int64_t row, const Meta& meta);
  Result<void> insert_one(const EncodedSegment& segment);
  Result<void> insert_at(std::int64_t row, const EncodedSegment& segment);
  Result<void> note_merged(std::int64_t row, const SegmentHeader& header);
  bool is_over_share(Lane lane, const Incoming& incoming) const;
  Result<bool> thin_one(const Incoming* incoming);
  Result<std::int64_t> free_pages();
  Result<std::size_t> gap_count();
  Result<std::vector<Gap>> gaps_in(const char* table_where, std::int64_t row);
  bool is_old(const Meta& meta) const;

  OutboxDatabase& outbox_;
  Sqlite& sqlite_;
  const OutboxMoment& moment_;
  LaneCounts waiting_;
  std::int64_t newest_row_;
  HandedOut::Rows merged_to_;
  HandedOut::Rows thinned_to_;
  OutboxOutcome outcome_;
};

}  // namespace fieldpost
