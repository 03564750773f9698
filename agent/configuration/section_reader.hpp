// SPDX-License-Identifier: Apache-2.0
// One section of the file against its declaration: every unknown key, wrong type and value out of
// range becomes a problem when the reader is made; afterwards each getter gives the value, or the
// declared default where it is absent or was wrong, so that reading goes on and finds the rest.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/configuration/declaration.hpp"
#include "agent/configuration/problem.hpp"
#include "agent/configuration/toml_value.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

class SectionReader {
 public:
  /// What stays the same for all sections of one file. References are lent.
  struct File {
    Problems& problems;
    std::string directory;  ///< relative paths start here, whichever file they stand in
    /// False: existence and mode of named files are not looked at (fuzzing, tests of the text alone).
    bool files_are_checked = true;
  };

  /// Keys that belong to somebody else: a driver's own options in [source.NAME].
  using Foreign = std::function<bool(std::string_view key)>;

  /// `table` may be null: the section is absent and every getter gives its default; a required key is
  /// then no problem. All three are lent and outlive the reader. `title` is what messages call the
  /// section, "[source.cpu]"; empty means the declaration's. `other_keys` are suggested, too.
  SectionReader(const SectionDeclaration& declaration, const TomlValue* table, File& file,
                std::string title = {}, const Foreign& foreign = {},
                const std::vector<std::string_view>& other_keys = {});

  bool present() const noexcept { return table_ != nullptr; }
  int line() const noexcept { return table_ == nullptr ? 0 : table_->line; }
  /// The line of a key; the section's where the key is absent.
  int line_of(std::string_view key) const;
  /// Written in the file, right or wrong.
  bool written(std::string_view key) const { return table_ != nullptr && table_->find(key) != nullptr; }
  /// Written in the file, and right.
  bool given(std::string_view key) const;
  const std::string& title() const noexcept { return title_; }

  bool boolean(std::string_view key) const;
  std::int64_t integer(std::string_view key) const;
  double real(std::string_view key) const;
  std::string text(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;
  std::vector<double> reals(std::string_view key) const;
  std::pair<double, double> range(std::string_view key) const;
  nanoseconds duration(std::string_view key) const;
  std::int64_t size(std::string_view key) const;
  /// A file or directory, absolute; "" where there is none.
  std::string path(std::string_view key) const;
  std::vector<std::pair<std::string, std::string>> text_table(std::string_view key) const;
  SectionReader section(std::string_view key) const;

  std::optional<double> given_real(std::string_view key) const;
  std::optional<nanoseconds> given_duration(std::string_view key) const;

  void error_at(std::string_view key, std::string sentence) const;
  void warning_at(std::string_view key, std::string sentence) const;

 private:
  const KeyDeclaration& declared(std::string_view key, KeyDeclaration::Type type) const;
  const TomlValue* value(std::string_view key) const;
  void check_member(const TomlMember& member, const std::vector<std::string_view>& other_keys);
  void refuse(const TomlMember& member, std::string_view why);

  const SectionDeclaration* declaration_;
  const TomlValue* table_;
  File* file_;
  std::string title_;
  std::vector<std::string_view> wrong_;  ///< keys whose value must not be used
};

/// The path as the file means it: absolute, or below the file's directory.
std::string resolve_beside(std::string_view directory, std::string_view path);

}  // namespace fieldpost
