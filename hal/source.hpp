// SPDX-License-Identifier: Apache-2.0
// The contract of the HAL: a driver opens a source, the agent reads it at its interval.
// A source finds out at open() what is there and adds its series; each read() then turns one pass
// over the kernel, the bus or the socket into samples. It keeps descriptors and buffers between
// reads, so that a read costs a system call or two and no allocation.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hal/sample.hpp"
#include "hal/series.hpp"
#include "platform/file_tree.hpp"
#include "platform/result.hpp"

namespace fieldpost {

class Source {
 public:
  virtual ~Source() = default;

  /// Reads everything once and hands each sample to `sink` with `now` as its time, or with the
  /// source's own time where it knows better.
  ///
  /// One failed item never stops the others: it is left out and counted in the result's error only
  /// when nothing at all could be read. Errors: NotPresent (gone; the agent re-opens with back-off),
  /// Unavailable, Malformed, Timeout, Io.
  virtual Result<void> read(SampleSink& sink, BootTime now) = 0;
};

/// An option of a driver as the configuration may set it: `[source.NAME] key = value`.
using OptionValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

struct OptionDeclaration {
  enum class Type : std::uint8_t { boolean, integer, real, text, texts };
  std::string_view key;
  Type type;
  bool required;
  std::string_view default_text;  ///< as one would write it in TOML; empty if there is none
  std::string_view help;          ///< one line
};

/// The options given, already checked against the driver's declarations (key and type).
class OptionValues {
 public:
  OptionValues() = default;
  explicit OptionValues(std::map<std::string, OptionValue, std::less<>> values)
      : values_{std::move(values)} {}

  std::string text(std::string_view key, std::string_view fallback) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback) const;
  /// Integers are accepted where a real is asked for.
  double real(std::string_view key, double fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::vector<std::string> texts(std::string_view key) const;
  bool has(std::string_view key) const;

 private:
  std::map<std::string, OptionValue, std::less<>> values_;
};

/// What a driver is given. References are lent and outlive the source.
struct SourceContext {
  const FileTree& tree;
  SeriesTable& series;
  const OptionValues& options;
  std::string_view instance;  ///< the NAME in [source.NAME]; "cpu" where the driver needs only one
};

/// One row of the driver table (hal/driver_table.cpp).
struct Driver {
  enum class Reads : std::uint8_t {
    on_loop,    ///< never blocks longer than a /proc read
    on_worker,  ///< may block (bus transfers, slow firmware, statfs on a network mount)
  };

  std::string_view name;     ///< "cpu"
  std::string_view room;     ///< "host", "network", "sensors", "encoders", "external", "simulated"
  std::string_view summary;  ///< one line, for `fieldpost sources`
  Reads reads;
  bool on_by_default;  ///< runs without being named in the configuration, where the machine has it
  std::span<const OptionDeclaration> options;

  /// Errors: NotPresent (the machine does not have it; said once, at debug where on by default),
  /// OutOfRange (an option's value; the sentence names the key), Denied, Io
  Result<std::unique_ptr<Source>> (*open)(const SourceContext& context);

  /// Read less often than this, it does harm; `interval_reason` is the sentence for who tries.
  nanoseconds interval_max = nanoseconds::max();
  std::string_view interval_reason = {};
};

/// All drivers, in the order `fieldpost sources` lists them.
std::span<const Driver> driver_table();

/// The driver of that name, or nothing.
const Driver* find_driver(std::string_view name);

}  // namespace fieldpost
