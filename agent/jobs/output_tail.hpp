// SPDX-License-Identifier: Apache-2.0
// The last bytes of what a program writes: the end says what went wrong, and a talkative one costs no memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fieldpost {

class OutputTail {
 public:
  static constexpr std::size_t kBytesMax = 1024;

  void add(std::string_view bytes) {
    for (const char c : bytes) lines_ += c == '\n' ? 1 : 0;
    open_line_ = bytes.empty() ? open_line_ : bytes.back() != '\n';
    if (bytes.size() > kBytesMax) bytes.remove_prefix(bytes.size() - kBytesMax);
    text_ += bytes;
    if (text_.size() > kBytesMax) text_.erase(0, text_.size() - kBytesMax);
  }
  /// What is left of a character that was cut stays out.
  std::string text() const {
    std::size_t from = 0;
    while (from < text_.size() && from < 4 && (static_cast<unsigned char>(text_[from]) & 0xc0U) == 0x80U) ++from;
    return text_.substr(from);
  }
  std::size_t lines() const noexcept { return lines_ + (open_line_ ? 1 : 0); }

 private:
  std::string text_;
  std::size_t lines_ = 0;
  bool open_line_ = false;
};

}  // namespace fieldpost
