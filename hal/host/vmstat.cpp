// SPDX-License-Identifier: Apache-2.0
// A few lines of /proc/vmstat. Which lines there are is fixed while the kernel runs, so those of
// interest are remembered by their line number and the others are stepped over unread.
#include "hal/host/vmstat.hpp"

#include "hal/text_scanner.hpp"

namespace fieldpost {
namespace {

class VmstatSource final : public Source {
 public:
  VmstatSource(KeptFile file, SeriesTable& series) : file_{std::move(file)}, series_{series} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    const std::string_view text = TRY(file_.read());
    if (!read_known(text, sink, now)) {
      TRY(find_lines(text));
      if (!read_known(text, sink, now)) {
        return Error{ErrorKind::Malformed, "/proc/vmstat: a number expected"};
      }
    }
    return {};
  }

 private:
  struct Line {
    std::size_t lines_before;  ///< between the line of interest before and this one
    std::string key;           ///< with the blank after it
    SeriesId series;
  };

  /// False, with nothing passed on, when the lines do not stand where they stood.
  bool read_known(std::string_view text, SampleSink& sink, BootTime now) {
    if (lines_.empty()) return false;
    TextScanner scan{text};
    values_.clear();
    for (const Line& line : lines_) {
      for (std::size_t i = 0; i < line.lines_before; ++i) scan.skip_line();
      const auto value = scan.skip(line.key) ? scan.number() : std::nullopt;
      if (!value) return false;
      values_.push_back(*value);
      scan.skip_line();
    }
    for (std::size_t i = 0; i < lines_.size(); ++i) sink.accept({lines_[i].series, values_[i], now});
    return true;
  }

  Result<void> find_lines(std::string_view text) {
    lines_.clear();
    TextScanner scan{text};
    std::size_t before = 0;
    for (; !scan.at_end(); scan.skip_line()) {
      const std::string key{scan.word()};
      if (!is_vmstat_line_of_interest(key)) {
        ++before;
        continue;
      }
      const SeriesId id = TRY(series_.add({"node_vmstat_" + key, {}, "", SeriesKind::counter,
                                           "/proc/vmstat information field " + key + "."}));
      lines_.push_back({before, key + " ", id});
      before = 0;
    }
    if (lines_.empty()) return Error{ErrorKind::Malformed, "/proc/vmstat: no line that we know"};
    return {};
  }

  KeptFile file_;
  SeriesTable& series_;
  std::vector<Line> lines_;
  std::vector<std::uint64_t> values_;
};

}  // namespace

bool is_vmstat_line_of_interest(std::string_view key) {
  return key.starts_with("oom_kill") || key.starts_with("pgpg") || key.starts_with("pswp") ||
         (key.starts_with("pg") && key.find("fault") != std::string_view::npos);
}

Result<std::unique_ptr<Source>> open_vmstat(const SourceContext& context) {
  KeptFile file = TRY(context.tree.keep("/proc/vmstat"));
  return std::make_unique<VmstatSource>(std::move(file), context.series);
}

}  // namespace fieldpost
