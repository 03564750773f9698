// SPDX-License-Identifier: Apache-2.0
// cpufreq attributes of each CPU.
#include "hal/host/cpu_frequency.hpp"

#include "hal/attribute.hpp"
#include "hal/metric.hpp"
#include "hal/text_scanner.hpp"

namespace fieldpost {
namespace {

constexpr std::string_view kCpus = "/sys/devices/system/cpu";
constexpr double kHertzPerKilohertz = 1000;

constexpr std::array<std::pair<std::string_view, Metric>, 6> kAttributes{{
    {"cpuinfo_cur_freq",
     {"node_cpu_frequency_hertz", "Current cpu thread frequency in hertz.", "hertz"}},
    {"cpuinfo_min_freq",
     {"node_cpu_frequency_min_hertz", "Minimum cpu thread frequency in hertz.", "hertz"}},
    {"cpuinfo_max_freq",
     {"node_cpu_frequency_max_hertz", "Maximum cpu thread frequency in hertz.", "hertz"}},
    {"scaling_cur_freq",
     {"node_cpu_scaling_frequency_hertz", "Current scaled CPU thread frequency in hertz.", "hertz"}},
    {"scaling_min_freq",
     {"node_cpu_scaling_frequency_min_hertz", "Minimum scaled CPU thread frequency in hertz.", "hertz"}},
    {"scaling_max_freq",
     {"node_cpu_scaling_frequency_max_hertz", "Maximum scaled CPU thread frequency in hertz.", "hertz"}},
}};

class CpuFrequencySource final : public Source {
 public:
  explicit CpuFrequencySource(std::vector<Attribute> attributes) : attributes_{std::move(attributes)} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    TRY(read_attributes(attributes_, sink, now));
    return {};
  }

 private:
  std::vector<Attribute> attributes_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_cpu_frequency(const SourceContext& context) {
  std::vector<Attribute> attributes;
  for (const std::string& name : TRY(context.tree.list(kCpus))) {
    if (!name.starts_with("cpu")) continue;
    const std::string number = name.substr(3);
    if (!attribute_number(number)) continue;  // "cpufreq", "cpuidle"
    for (const auto& [attribute, metric] : kAttributes) {
      auto file = context.tree.keep(std::string{kCpus} + "/" + name + "/cpufreq/" + std::string{attribute});
      if (!file) continue;  // no cpufreq, or cpuinfo_cur_freq, which only root may read
      const SeriesId series = TRY(add_series(context.series, metric, {{"cpu", number}}));
      attributes.push_back({std::move(*file), series, {kHertzPerKilohertz, 1}});
    }
  }
  if (attributes.empty()) return Error{ErrorKind::NotPresent, "no CPU has cpufreq"};
  return std::make_unique<CpuFrequencySource>(std::move(attributes));
}

}  // namespace fieldpost
