// SPDX-License-Identifier: Apache-2.0
// Open files (/proc/sys/fs/file-nr) and entropy (/proc/sys/kernel/random).
#include "hal/host/kernel_limits.hpp"

#include <optional>

#include "hal/attribute.hpp"
#include "hal/metric.hpp"
#include "hal/text_scanner.hpp"

namespace fieldpost {
namespace {

constexpr std::array<Metric, 2> kFiles{{
    {"node_filefd_allocated", "File descriptor statistics: allocated."},
    {"node_filefd_maximum", "File descriptor statistics: maximum."},
}};
constexpr std::array<std::pair<std::string_view, Metric>, 2> kEntropy{{
    {"/proc/sys/kernel/random/entropy_avail",
     {"node_entropy_available_bits", "Bits of available entropy."}},
    {"/proc/sys/kernel/random/poolsize", {"node_entropy_pool_size_bits", "Bits of entropy pool."}},
}};

class KernelLimitsSource final : public Source {
 public:
  KernelLimitsSource(std::optional<KeptFile> files, std::array<SeriesId, 2> file_series,
                     std::vector<Attribute> entropy)
      : files_{std::move(files)}, file_series_{file_series}, entropy_{std::move(entropy)} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    auto entropy = read_attributes(entropy_, sink, now);
    if (!files_ && !entropy) return entropy.error();
    if (!files_) return {};
    // "allocated, free (always 0), maximum"
    TextScanner scan{TRY(files_->read())};
    const auto allocated = scan.number();
    scan.number();
    const auto maximum = scan.number();
    if (allocated) sink.accept({file_series_[0], *allocated, now});
    if (maximum) sink.accept({file_series_[1], *maximum, now});
    return {};
  }

 private:
  std::optional<KeptFile> files_;
  std::array<SeriesId, 2> file_series_;
  std::vector<Attribute> entropy_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_kernel_limits(const SourceContext& context) {
  std::optional<KeptFile> files;
  std::array<SeriesId, 2> file_series{};
  auto kept = context.tree.keep("/proc/sys/fs/file-nr");
  if (kept) {
    files = std::move(*kept);
    file_series = TRY(add_series(context.series, kFiles, {}));
  }
  std::vector<Attribute> entropy;
  for (const auto& [path, metric] : kEntropy) {
    if (auto file = context.tree.keep(path)) {
      entropy.push_back({std::move(*file), TRY(add_series(context.series, metric)), {}});
    }
  }
  if (!files && entropy.empty()) return kept.error();
  return std::make_unique<KernelLimitsSource>(std::move(files), file_series, std::move(entropy));
}

}  // namespace fieldpost
