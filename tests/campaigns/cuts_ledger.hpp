// SPDX-License-Identifier: Apache-2.0
// What the campaign knows of one disk's history: every sample it made, where it should be now, and under which
// (epoch, seq) it was seen. A sample's number is in its time; series, value and quality follow from it, so that
// whatever comes back can be told to the bit.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/store/outbox_database.hpp"
#include "agent/store/segment.hpp"
#include "tests/campaigns/cuts_campaign.hpp"

namespace fieldpost {

class CutsLedger {
 public:
  static constexpr std::size_t kSeries = 24;

  enum class Where : std::uint8_t { memory, in_flight, durable, acknowledged, dropped, gone };

  /// What is found on a disk: all that its lanes hold, and the gaps not yet reported.
  struct Found {
    struct Segment {
      std::int64_t row = 0;
      SegmentHeader header;
      std::uint32_t crc = 0;
      std::vector<std::uint64_t> samples;  ///< their numbers
      std::vector<Summary> summaries;      ///< their series as numbers of ours
      std::vector<Gap> gaps;
    };
    std::vector<Segment> segments;
    std::vector<Gap> untold;
    Epoch epoch = 0;
    std::uint64_t newest_seq = 0;
  };

  /// `strict`: nothing may be missing without a gap that counts it exactly. Otherwise (a disk that lies or was
  /// damaged) losses are counted, and what is there must still be right.
  /// `figures` are lent and outlive it.
  /// Both are lent and outlive it.
  CutsLedger(CutsFigures& figures, const CutsOptions& options) : figures_{figures}, options_{options} {}
  void be_lenient(bool counts_reuse) {
    is_strict_ = false;
    counts_reuse_ = counts_reuse_ || counts_reuse;
  }
  /// The database was damaged or changed for an older one while `newest` was the epoch: what is lost of it must
  /// be told. (What waits of an epoch before has no mark, and is only counted.)
  void expect_told(Epoch newest) { told_epoch_ = newest; }
  void set_context(std::string context) { context_ = std::move(context); }

  Sample make_sample(Lane lane, bool is_noise);
  static std::string series_name(std::size_t number) { return "node_crash_" + std::to_string(number) + "_total"; }

  /// The readings of `segment` as numbers; a violation if any of them is not as it was made.
  Found::Segment read(const OutboxRow& row);

  /// It has left the device.
  void hand_out(const Found::Segment& segment);
  /// What somebody has in hand must be there still.
  void check_held(const Found& found, const std::vector<Found::Segment>& held);

  // The steps of a commit. Between begin() and a settle the power may go.
  void begin(std::vector<std::uint64_t> samples, std::vector<Found::Segment> acknowledged);
  void promise_early();
  /// The commit came back, and this is what the disk holds now.
  void settle(const Found& found);
  /// Small segments became fewer, and nothing else happened.
  void settle_merge(const Found& found);
  /// The power went; this is what one of the disks holds that it may have left. Settles it if `goes_on`.
  void settle_cut(const Found& found, bool goes_on);

  bool failed() const { return figures_.violations.size() >= options_.violations_max; }
  void violation(const std::string& what);

 private:
  struct Known {
    Lane lane{};
    Where where = Where::memory;
    bool is_noise = false;
    bool is_handed_out = false;
    Epoch epoch = 0;
    std::uint64_t seq = 0;
    std::uint64_t first_seq = 0;
  };
  struct Named {
    std::uint32_t crc = 0;
    Lane lane{};
  };
  using Name = std::pair<Epoch, std::uint64_t>;
  using Counts = std::array<std::uint64_t, kLanes.size()>;

  Found::Segment decode(const OutboxRow& row, std::uint32_t crc);
  void check_names(const Found& found);
  void check_order(const Found& found);
  void check_summaries(const Found& found, const std::unordered_map<std::uint64_t, const Found::Segment*>& present);
  void check_summary(const Summary& summary, Lane lane, const std::unordered_map<std::uint64_t, const Found::Segment*>& present);
  bool is_under_its_number(const Known& known, const SegmentHeader& header) const;
  void reckon(const Found& found, bool is_done, bool goes_on);
  bool check_counts(const Found& found, bool happened, bool is_done, const Counts& missing, const Counts& missing_in_flight);
  void move(const Found& found, const std::unordered_map<std::uint64_t, const Found::Segment*>& present,
            const std::set<std::uint64_t>& leaving, bool happened);
  bool in_told_range(const Known& known, const Found& found) const;

  CutsFigures& figures_;
  const CutsOptions& options_;
  bool is_strict_ = true;
  bool counts_reuse_ = false;
  std::string context_;
  std::vector<Known> known_;
  std::vector<std::uint64_t> in_flight_;
  std::vector<Found::Segment> in_flight_acknowledged_;
  std::map<std::pair<Name, std::uint32_t>, Found::Segment> read_;
  std::map<Name, Named> named_;               ///< what left the device under a number
  std::map<Epoch, std::uint64_t> newest_named_;
  Epoch told_epoch_ = 0;
  std::vector<Gap> told_;                     ///< by reports that were acknowledged
  Counts summed_up_{};                        ///< samples in summaries that were acknowledged
  Name newest_{};                             ///< epoch and newest seq as settled last
};

}  // namespace fieldpost
