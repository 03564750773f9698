// SPDX-License-Identifier: Apache-2.0
#include "tests/campaigns/damage_life.hpp"

#include <algorithm>

namespace fieldpost {
namespace {

constexpr UtcTime kNow{seconds{1'800'000'000}};
constexpr BootTime kBootTime{seconds{2'000}};

class AroundTheStore {
 public:
  AroundTheStore() { DamageLife::around_the_store(true); }
  ~AroundTheStore() { DamageLife::around_the_store(false); }
  AroundTheStore(const AroundTheStore&) = delete;
  AroundTheStore& operator=(const AroundTheStore&) = delete;
};

}  // namespace

void (*DamageLife::around_the_store)(bool) = [](bool) {};

DamageLife::DamageLife(const StoreOptions& options, const SeriesTable& table, DamageLedger& ledger,
                       BootId boot)
    : ledger_{ledger},
      boot_{std::move(boot)},
      store_{std::make_unique<StoreDisk>(options, StoreGround{}, log_, table)} {}

void DamageLife::add_samples(Lane lane, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) work_.batches[index(lane)].add(ledger_.make_sample(lane));
}

Result<void> DamageLife::try_commit() {
  if (is_new_) {
    work_.boots = {{.boot = boot_,
                    .offset = kNow.time_since_epoch() - seconds{2'000},
                    .error_bound = seconds{1},
                    .source = BootRow::Source::kernel,
                    .seen = kBootTime}};
  }
  work_.moment = {boot_, kBootTime};
  work_.utc = kNow;
  {
    const AroundTheStore around;
    store_->commit(work_);
  }
  for (const Event& event : work_.events) {
    set_aside_ += event.name.ends_with("_set_aside") ? 1U : 0U;
    outboxes_set_aside_ += event.name == "outbox_set_aside" ? 1U : 0U;
    new_epochs_ += event.name == "outbox_new_epoch" ? 1U : 0U;
  }
  work_.events.clear();
  work_.outcomes.clear();
  if (work_.result) {
    is_new_ = false;
    salvage();
  } else {
    latest_error_ = work_.result.error().sentence();
  }
  return work_.result;
}

void DamageLife::salvage() {
  const bool was_salvaging = is_salvaging_;
  is_salvaging_ = store_->figures().is_salvaging;
  if (!is_salvaging_ && !was_salvaging) return;
  const AroundTheStore around;
  static_cast<void>(store_->tidy());
  const DiskFigures figures = store_->figures();
  is_salvaging_ = figures.is_salvaging;
  salvaged_ = figures.salvaged_segments;
  // What has come back lies before what was pulled since.
  if (!is_salvaging_) after_ = {};
}

int DamageLife::commit(int attempts_max) {
  for (int attempt = 1; attempt <= attempts_max; ++attempt) {
    if (try_commit()) return attempt;
  }
  return 0;
}

std::size_t DamageLife::pull() {
  std::size_t count = 0;
  for (const Lane lane : kLanes) {
    std::array<std::uint64_t, kLanes.size()> dropped{};
    std::vector<OutboxRow> rows;
    {
      const AroundTheStore around;
      rows = store_->fetch(lane, after_[index(lane)], 1'000, 64U << 20U, dropped);
    }
    for (const OutboxRow& row : rows) {
      after_[index(lane)] = row.row;
      const auto is_it = [&row](const Pulled& one) { return one.row == row.row; };
      if (std::any_of(pulled_.begin(), pulled_.end(), is_it)) continue;
      ledger_.hand_out(row);
      pulled_.push_back({row.row, row.header});
      ++count;
    }
  }
  return count;
}

void DamageLife::acknowledge(std::size_t one_in) {
  std::vector<Pulled> kept;
  for (std::size_t i = 0; i < pulled_.size(); ++i) {
    if (i % one_in != 0) {
      kept.push_back(pulled_[i]);
      continue;
    }
    work_.change.acknowledged.push_back({pulled_[i].header.lane, pulled_[i].row});
    ledger_.deliver(pulled_[i].header);
  }
  pulled_ = std::move(kept);
}

void DamageLife::give_up(Lane lane) {
  const auto found = std::find_if(pulled_.begin(), pulled_.end(),
                                  [lane](const Pulled& one) { return one.header.lane == lane; });
  if (found == pulled_.end()) return;
  work_.change.given_up.push_back({lane, found->row, Gap::Cause::oversize});
  ledger_.give_up(found->header);
  pulled_.erase(found);
}

void DamageLife::close() {
  const AroundTheStore around;
  store_->close();
}

}  // namespace fieldpost
