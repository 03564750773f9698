// SPDX-License-Identifier: Apache-2.0
// What went into a store and what it handed out, for the campaigns that damage its files (damage) and fail
// its calls (faults). A sample's number is in its time; series and value follow from it, so that whatever is
// handed out can be told to the bit. At the end every sample was delivered, or a gap tells of it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/store/outbox_database.hpp"
#include "agent/store/segment.hpp"

namespace fieldpost {

class DamageLedger {
 public:
  static constexpr std::size_t kSeries = 16;
  using Counts = std::array<std::uint64_t, kLanes.size()>;

  static std::string series_name(std::size_t number) {
    return "node_damage_" + std::to_string(number) + "_total";
  }
  /// Adds the series of its samples. `table` is empty.
  static void add_series(SeriesTable& table);

  Sample make_sample(Lane lane);
  std::uint64_t samples() const noexcept { return known_.size(); }

  /// The store hands `row` out: it may be on its way to the cloud from now on.
  void hand_out(const OutboxRow& row);
  /// Its acknowledgement is durable.
  void deliver(const SegmentHeader& header);
  /// The store was asked to drop it, and to report that.
  void give_up(const SegmentHeader& header);
  /// What was handed out and not delivered waits in the store again: another process takes over.
  void forget_handed_out();

  /// All samples made so far were said to be durable. What was not by the time that its process died is
  /// nobody's loss.
  void promise() { promised_ = known_.size(); }
  void excuse_unpromised();

  bool was_handed_out(std::uint64_t sample) const { return known_[sample].is_out; }

  /// What became of all samples that were made.
  struct Balance {
    std::uint64_t lost = 0;    ///< neither delivered nor handed out nor given up
    std::uint64_t untold = 0;  ///< of these, neither in a range of numbers that a gap names nor in the count
                               ///< of one that names none
    std::uint64_t reports_lost =
        0;                      ///< readings that were given up before, and their report went with the damage
    std::uint64_t unnamed = 0;  ///< of these, told by a count only
    std::uint64_t miscounted =
        0;  ///< by so many readings gaps tell of fewer than are lost, or of more, lane by lane
    std::uint64_t returned = 0;  ///< segments that were delivered and came once more, under their number
  };
  /// `hears_gaps`: false makes the judge deaf to them, to see it fail.
  Balance balance(bool hears_gaps = true) const;

  const std::vector<std::string>& violations() const noexcept { return violations_; }
  void violation(std::string what) { violations_.push_back(std::move(what)); }

  using Name = std::pair<Epoch, std::uint64_t>;
  /// What was handed out so far and neither delivered nor given up: name and bytes.
  std::vector<std::pair<Name, std::vector<std::byte>>> waiting() const;
  /// It came out, now or before.
  bool is_settled(const Name& name) const;

  /// Where the segments handed out so far lie within `content`: first byte and length.
  std::vector<std::pair<std::size_t, std::size_t>> places_in(std::span<const std::byte> content) const;

 private:
  struct Known {
    Lane lane{};
    bool is_out = false;
    bool is_delivered = false;
    bool is_given_up = false;
    bool is_excused = false;
    Name name;  ///< under which it was handed out; 0, 0: never
  };
  struct Segment {
    std::vector<std::byte> bytes;
    std::vector<std::uint64_t> samples;
    std::vector<Gap> gaps;
    bool is_out = false;
    bool is_delivered = false;
    bool is_given_up = false;
  };

  void decode(const OutboxRow& row, Segment& segment);

  std::vector<Known> known_;
  std::map<Name, Segment> segments_;
  std::uint64_t returned_ = 0;
  std::size_t promised_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace fieldpost
