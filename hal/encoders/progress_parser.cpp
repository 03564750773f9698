// SPDX-License-Identifier: Apache-2.0
// See progress_parser.hpp.
#include "hal/encoders/progress_parser.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

namespace fieldpost {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

template <typename Integer>
bool parse_integer(std::string_view text, Integer& number) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && at == end;
}

/// A number in front of `text`, which keeps what follows it.
bool take_number(std::string_view& text, double& number) {
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || !std::isfinite(number)) return false;
  text.remove_prefix(static_cast<std::size_t>(at - text.data()));
  return true;
}

bool take_count(std::string_view text, std::optional<std::int64_t>& count) {
  std::int64_t number = 0;
  if (!parse_integer(text, number) || number < 0) return false;
  count = number;
  return true;
}

/// A number that is not negative, followed by exactly `unit`.
bool take_quantity(std::string_view text, std::string_view unit, std::optional<double>& quantity) {
  double number = 0;
  if (!take_number(text, number) || number < 0 || text != unit) return false;
  quantity = number;
  return true;
}

/// "1234.5kbits/s".
bool take_bitrate(std::string_view text, std::optional<double>& bitrate) {
  double number = 0;
  if (!take_number(text, number) || number < 0) return false;
  double factor = 1;
  if (!text.empty()) {
    if (text[0] == 'k') factor = 1e3;
    if (text[0] == 'M') factor = 1e6;
    if (text[0] == 'G') factor = 1e9;
    if (factor > 1) text.remove_prefix(1);
  }
  if (text != "bits/s" || !std::isfinite(number * factor)) return false;
  bitrate = number * factor;
  return true;
}

/// "stream_<output>_<stream>_q"; other keys that begin so (PSNR) are not for us.
bool is_quantizer_key(std::string_view key, ProgressBlock::Quantizer& quantizer) {
  if (!key.starts_with("stream_") || !key.ends_with("_q")) return false;
  key.remove_prefix(7);
  key.remove_suffix(2);
  const auto bar = key.find('_');
  if (bar == std::string_view::npos) return false;
  return parse_integer(key.substr(0, bar), quantizer.output) &&
         parse_integer(key.substr(bar + 1), quantizer.stream);
}

}  // namespace

bool ProgressBlock::add(Quantizer quantizer) noexcept {
  if (count_ == kQuantizersMax) return false;
  quantizers_[count_++] = quantizer;
  return true;
}

ProgressParser::Fed ProgressParser::feed(std::string_view bytes) {
  Fed fed;
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, newline);
    if (!is_line_too_long_ && line_bytes_ + piece.size() <= kLineBytesMax) {
      std::memcpy(line_.data() + line_bytes_, piece.data(), piece.size());
      line_bytes_ += piece.size();
    } else if (!is_line_too_long_) {
      is_line_too_long_ = true;
      ++malformed_lines_;
    }
    if (newline == std::string_view::npos) break;
    bytes.remove_prefix(newline + 1);
    if (!is_line_too_long_ && take_line(trim({line_.data(), line_bytes_}))) {
      ++fed.blocks;
      fed.has_end = fed.has_end || newest_.is_end;
    }
    is_line_too_long_ = false;
    line_bytes_ = 0;
  }
  return fed;
}

void ProgressParser::restart() noexcept {
  line_bytes_ = 0;
  is_line_too_long_ = false;
  block_lines_ = 0;
  block_ = {};
  newest_ = {};
}

/// True when the line ends a block.
bool ProgressParser::take_line(std::string_view line) {
  if (line.empty()) return false;
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) {
    ++malformed_lines_;
    return false;
  }
  const std::string_view key = trim(line.substr(0, equals));
  const std::string_view value = trim(line.substr(equals + 1));
  if (key == "progress") {
    const bool is_whole = block_lines_ <= kBlockLinesMax && (value == "continue" || value == "end");
    if (is_whole) {
      newest_ = block_;
      newest_.is_end = value == "end";
    } else {
      ++malformed_lines_;
    }
    block_ = {};
    block_lines_ = 0;
    return is_whole;
  }
  if (block_lines_ >= kBlockLinesMax) {
    block_lines_ = kBlockLinesMax + 1;
    ++malformed_lines_;
    return false;
  }
  ++block_lines_;
  if (value != "N/A" && !take_value(key, value)) ++malformed_lines_;
  return false;
}

/// False when the value is not of the form that the key has.
bool ProgressParser::take_value(std::string_view key, std::string_view value) {
  if (key == "frame") return take_count(value, block_.frames);
  if (key == "fps") return take_quantity(value, "", block_.frames_per_second);
  if (key == "bitrate") return take_bitrate(value, block_.bitrate_bits_per_second);
  if (key == "total_size") return take_count(value, block_.output_bytes);
  if (key == "out_time_us") {
    std::int64_t microseconds = 0;
    if (!parse_integer(value, microseconds)) return false;
    block_.output_time_microseconds = microseconds;
    return true;
  }
  if (key == "dup_frames") return take_count(value, block_.duplicated_frames);
  if (key == "drop_frames") return take_count(value, block_.dropped_frames);
  if (key == "speed") return take_quantity(value, "x", block_.speed);
  ProgressBlock::Quantizer quantizer{};
  if (is_quantizer_key(key, quantizer)) {
    std::string_view rest = value;
    return take_number(rest, quantizer.value) && rest.empty() && block_.add(quantizer);
  }
  return true;
}

}  // namespace fieldpost
