// SPDX-License-Identifier: Apache-2.0
// /proc/meminfo: which lines there are depends on the kernel, so the series are made from the text.
#include "hal/host/memory.hpp"

#include <limits>

#include "hal/steady_rows.hpp"

namespace fieldpost {
namespace {

constexpr std::uint64_t kBytesPerKilobyte = 1024;
constexpr std::string_view kPrefix = "node_memory_";

std::optional<SeriesId> add_line(SeriesTable& table, std::string_view key, bool in_bytes) {
  Series series;
  series.name = meminfo_metric_name(key, in_bytes);
  series.unit = in_bytes ? "bytes" : "";
  series.help = "Memory information field " + series.name.substr(kPrefix.size()) + ".";
  auto id = table.add(std::move(series));
  return id ? std::optional{*id} : std::nullopt;
}

class MemorySource final : public Source {
 public:
  MemorySource(KeptFile file, SeriesTable& series) : file_{std::move(file)}, series_{series} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    TextScanner scan{TRY(file_.read())};
    rows_.rewind();
    bool any = false;
    while (!scan.at_end()) {
      const auto line = parse_meminfo_line(scan);
      if (!line) continue;
      any = true;
      const auto& series = rows_.row(line->key, [&](std::string_view key) {
        return add_line(series_, key, line->in_bytes);
      });
      if (series) sink.accept({*series, line->value, now});
    }
    if (!any) return Error{ErrorKind::Malformed, "/proc/meminfo: no line that we know"};
    return {};
  }

 private:
  KeptFile file_;
  SeriesTable& series_;
  SteadyRows<std::optional<SeriesId>> rows_;
};

}  // namespace

std::optional<MeminfoLine> parse_meminfo_line(TextScanner& scan) {
  MeminfoLine line;
  const auto key = scan.word_until(':');
  const auto value = key && !key->empty() ? scan.number() : std::nullopt;
  if (!value) {
    scan.skip_line();
    return std::nullopt;
  }
  line.key = *key;
  line.value = *value;
  if (scan.skip(" kB")) {
    if (line.value > std::numeric_limits<std::uint64_t>::max() / kBytesPerKilobyte) {
      scan.skip_line();
      return std::nullopt;
    }
    line.in_bytes = true;
    line.value *= kBytesPerKilobyte;
  }
  if (!scan.skip('\n')) scan.skip_line();
  return line;
}

std::string meminfo_metric_name(std::string_view key, bool in_bytes) {
  std::string name{kPrefix};
  for (const char c : key) {
    if (c == '(') name += '_';
    else if (c != ')') name += c;
  }
  if (in_bytes) name += "_bytes";
  return name;
}

Result<std::unique_ptr<Source>> open_memory(const SourceContext& context) {
  KeptFile file = TRY(context.tree.keep("/proc/meminfo"));
  return std::make_unique<MemorySource>(std::move(file), context.series);
}

}  // namespace fieldpost
