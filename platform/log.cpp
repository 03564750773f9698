// SPDX-License-Identifier: Apache-2.0
// Formats a line, folds repeats, and writes it with one system call, so that lines of several
// threads never mix.
#include "platform/log.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "platform/number.hpp"

namespace fieldpost {
namespace {

constexpr std::string_view kLevelNames[] = {"error", "warn", "info", "debug"};
constexpr int kSyslogPriorities[] = {3, 4, 6, 7};  // <syslog.h>: LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG
constexpr std::string_view kTruncated = "...";

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool needs_quotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (c == ' ' || c == '"' || c == '=' || c == '\\' || is_control(c)) return true;
  }
  return false;
}

/// What comes from outside must not be able to start a line of its own.
void append_escaped(std::string& line, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (is_control(c)) {
      line += "\\x";
      line += kDigits[static_cast<unsigned char>(c) >> 4U];
      line += kDigits[static_cast<unsigned char>(c) & 0x0FU];
    } else {
      line += c;
    }
  }
}

void append_field(std::string& line, std::string_view key, std::string_view value) {
  line += ' ';
  line += key;
  line += '=';
  const bool too_long = value.size() > Log::kValueBytesMax;
  if (too_long) value = value.substr(0, Log::kValueBytesMax);
  if (!too_long && !needs_quotes(value)) {
    line += value;
    return;
  }
  line += '"';
  append_escaped(line, value);
  if (too_long) line += kTruncated;
  line += '"';
}

/// systemd sets JOURNAL_STREAM to the device and inode of the stream it made; a service that sends
/// its standard error elsewhere still inherits the variable, so the numbers are compared.
bool stderr_is_journal() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): once, when the log is made; nobody calls setenv() later
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return std::string_view{stream} == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

void write_to_stderr(std::string line) {
  line += '\n';
  // A log that cannot be written has nowhere to say so.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

struct Log::Folding {
  struct Window {
    BootTime began;
    LogLevel level{};
    int shown = 0;
    std::uint64_t folded = 0;
    std::string body;  ///< of the newest folded line
  };

  std::mutex mutex;  // guards everything here and the output
  std::map<std::string, Window, std::less<>> windows;
  bool journal = false;
};

LogField::LogField(std::string_view k, double v) : key{k}, value{shortest_text(v)} {}

Log::Log(const Clock& clock, LogLevel level, Output output)
    : clock_{clock}, level_{level}, output_{std::move(output)}, folding_{std::make_unique<Folding>()} {
  folding_->journal = !output_ && stderr_is_journal();
  if (!output_) {
    output_ = [](LogLevel, std::string_view line) { write_to_stderr(std::string{line}); };
  }
}

Log::~Log() {
  const std::lock_guard lock{folding_->mutex};
  for (const auto& [key, window] : folding_->windows) emit_folded(window.level, window.body, window.folded);
}

void Log::emit(LogLevel level, std::string_view body) {
  const auto index = static_cast<std::size_t>(level);
  std::string line;
  if (folding_->journal) {
    line = "<" + std::to_string(kSyslogPriorities[index]) + ">";
  } else {
    line = to_rfc3339(clock_.utc_above_floor().time);
    line += ' ';
    line += kLevelNames[index];
    line += ' ';
  }
  line += body;
  output_(level, line);
}

void Log::emit_folded(LogLevel level, const std::string& body, std::uint64_t folded) {
  if (folded > 0) emit(level, body + " repeated=" + std::to_string(folded));
}

void Log::write(LogLevel level, std::string_view phrase, Fields fields) {
  if (!enabled(level)) return;

  std::string body;
  append_escaped(body, phrase.substr(0, kValueBytesMax));
  std::string key{body};
  bool first = true;
  for (const LogField& field : fields) {
    append_field(body, field.key, field.value);
    // The first field says what the line is about: two sources that fail are not a repeat.
    if (std::exchange(first, false)) key = body;
  }

  const std::lock_guard lock{folding_->mutex};
  if (level == LogLevel::debug) {
    // Whoever asks for debug wants every line: the end-to-end tests reckon with "segment durable".
    emit(level, body);
    return;
  }
  const BootTime now = clock_.now();
  auto& windows = folding_->windows;
  for (auto window = windows.begin(); window != windows.end();) {
    if (now - window->second.began < kFoldWindow) {
      ++window;
      continue;
    }
    emit_folded(window->second.level, window->second.body, window->second.folded);
    window = windows.erase(window);
  }

  auto found = windows.find(key);
  if (found == windows.end()) {
    // A full table only means that the line is not folded.
    if (windows.size() < kPhrasesMax) {
      windows.emplace(std::move(key),
                      Folding::Window{.began = now, .level = level, .shown = 1, .folded = 0, .body = {}});
    }
    emit(level, body);
    return;
  }
  Folding::Window& window = found->second;
  if (window.shown < kRepeatsShown) {
    ++window.shown;
    emit(level, body);
    return;
  }
  ++window.folded;
  window.level = level;
  window.body = std::move(body);
}

}  // namespace fieldpost
