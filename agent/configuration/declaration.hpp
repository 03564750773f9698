// SPDX-License-Identifier: Apache-2.0
// What may stand in the configuration file, as constant tables: the reader checks against them, and
// `fieldpost check --explain` prints them. A key has its default here and nowhere else.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace fieldpost {

struct SectionDeclaration;

struct KeyDeclaration {
  enum class Type : std::uint8_t {
    boolean,
    integer,
    real,
    text,
    choice,       ///< text, one of `choices`
    texts,        ///< a list of texts
    reals,        ///< a list of numbers
    range,        ///< [lowest, highest]
    duration,     ///< "10s"; limits in seconds
    size,         ///< "256MiB"; limits in bytes
    file,         ///< a file that exists and can be read
    secret_file,  ///< and that nobody else can read
    absolute_path, ///< need not exist yet
    text_table,   ///< { name = "text", ... }
    section,      ///< an inline table, see `inner`
  };

  std::string_view key;
  Type type;
  std::string_view default_text;  ///< as the value of a text, otherwise as in TOML; "" if none
  std::string_view help;          ///< one line
  bool required = false;
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::string_view choices = {};  ///< "warn|info|debug"
  const SectionDeclaration* inner = nullptr;
};

struct SectionDeclaration {
  std::string_view title;  ///< "[sampling]", "[[rule]]", "[source.NAME]"
  std::string_view help;
  std::span<const KeyDeclaration> keys;
};

/// Every section, in the order a person would write them.
std::span<const SectionDeclaration* const> section_table();

extern const SectionDeclaration kDeviceSection;
extern const SectionDeclaration kBrokerSection;
extern const SectionDeclaration kIdentitySection;
extern const SectionDeclaration kCloudSection;
extern const SectionDeclaration kJobsSection;
extern const SectionDeclaration kSamplingSection;
extern const SectionDeclaration kSourceSection;
extern const SectionDeclaration kOutboxSection;
extern const SectionDeclaration kSeriesSection;
extern const SectionDeclaration kDeadbandSection;
extern const SectionDeclaration kRuleSection;
extern const SectionDeclaration kSyncSection;
extern const SectionDeclaration kSelfSection;
extern const SectionDeclaration kLogSection;
extern const SectionDeclaration kControlSection;

/// "a duration such as \"10s\"": what a key of this type wants, for messages.
std::string_view wanted_text(KeyDeclaration::Type type) noexcept;
/// "duration": for the reference that --explain prints.
std::string_view type_text(KeyDeclaration::Type type) noexcept;

}  // namespace fieldpost
