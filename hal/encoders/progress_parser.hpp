// SPDX-License-Identifier: Apache-2.0
// FFmpeg's `-progress` stream: key=value lines, a block of them every half second, ended by the line
// "progress=continue" or "progress=end". It comes in pieces of any size and, since anybody who may
// connect can write to it, with any content: lines and blocks are bounded, what is not understood is
// counted and left out, and nothing allocates while it is fed.
//
// Source: fftools/ffmpeg.c, print_report(); observed with 5.1
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace fieldpost {

/// One block. Values that ffmpeg does not have (yet) are "N/A" or missing: nothing here.
struct ProgressBlock {
  struct Quantizer {
    std::uint16_t output;  ///< number of the output file
    std::uint16_t stream;
    double value;
  };
  static constexpr std::size_t kQuantizersMax = 16;

  std::optional<std::int64_t> frames;
  std::optional<std::int64_t> dropped_frames;
  std::optional<std::int64_t> duplicated_frames;
  std::optional<std::int64_t> output_bytes;
  std::optional<std::int64_t> output_time_microseconds;  ///< may be negative at the start
  std::optional<double> frames_per_second;               ///< running average of the whole encode
  std::optional<double> bitrate_bits_per_second;         ///< likewise
  std::optional<double> speed;                           ///< 1 = real time
  bool is_end = false;

  std::span<const Quantizer> quantizers() const noexcept { return {quantizers_.data(), count_}; }
  /// False when kQuantizersMax are there.
  bool add(Quantizer quantizer) noexcept;

 private:
  std::array<Quantizer, kQuantizersMax> quantizers_{};
  std::size_t count_ = 0;
};

class ProgressParser {
 public:
  /// The longest line of a real ffmpeg has about 60 bytes.
  static constexpr std::size_t kLineBytesMax = 256;
  /// A real block has a dozen lines and one for each output stream.
  static constexpr std::size_t kBlockLinesMax = 256;

  struct Fed {
    std::size_t blocks = 0;  ///< completed by these bytes
    bool has_end = false;    ///< one of them was the last of an encode
  };

  /// Takes the next bytes of the stream. The newest block they complete is in newest().
  Fed feed(std::string_view bytes);

  const ProgressBlock& newest() const noexcept { return newest_; }

  /// Lines that are too long, have no "=", or whose value is not of the key's form, and those of
  /// blocks that are too long. Unknown keys are not counted: each version of ffmpeg has new ones.
  std::uint64_t malformed_lines() const noexcept { return malformed_lines_; }

  /// Forgets the half-read line and block: another encoder speaks from here on.
  void restart() noexcept;

 private:
  bool take_line(std::string_view line);
  bool take_value(std::string_view key, std::string_view value);

  std::array<char, kLineBytesMax> line_{};
  std::size_t line_bytes_ = 0;
  bool is_line_too_long_ = false;
  std::size_t block_lines_ = 0;
  ProgressBlock block_;
  ProgressBlock newest_;
  std::uint64_t malformed_lines_ = 0;
};

}  // namespace fieldpost
