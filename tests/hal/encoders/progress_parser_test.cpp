// SPDX-License-Identifier: Apache-2.0
// What ffmpeg says, what it might say, and what somebody else might say in its place.
#include "hal/encoders/progress_parser.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace fieldpost {
namespace {

// Captured from ffmpeg 5.1.9, libx264 into MPEG-TS.
constexpr std::string_view kBlock =
    "frame=51\n"
    "fps=50.65\n"
    "stream_0_0_q=28.0\n"
    "bitrate=  67.3kbits/s\n"
    "total_size=9024\n"
    "out_time_us=1073267\n"
    "out_time_ms=1073267\n"
    "out_time=00:00:01.073267\n"
    "dup_frames=2\n"
    "drop_frames=3\n"
    "speed=1.07x\n"
    "progress=continue\n";

TEST(ProgressParser, ReadsABlockOfFfmpeg) {
  ProgressParser parser;
  const auto fed = parser.feed(kBlock);
  EXPECT_EQ(fed.blocks, 1U);
  EXPECT_FALSE(fed.has_end);
  const ProgressBlock& block = parser.newest();
  EXPECT_EQ(block.frames, 51);
  EXPECT_EQ(block.frames_per_second, 50.65);
  EXPECT_DOUBLE_EQ(block.bitrate_bits_per_second.value_or(0), 67'300);
  EXPECT_EQ(block.output_bytes, 9024);
  EXPECT_EQ(block.output_time_microseconds, 1'073'267);
  EXPECT_EQ(block.duplicated_frames, 2);
  EXPECT_EQ(block.dropped_frames, 3);
  EXPECT_EQ(block.speed, 1.07);
  ASSERT_EQ(block.quantizers().size(), 1U);
  EXPECT_EQ(block.quantizers()[0].output, 0);
  EXPECT_EQ(block.quantizers()[0].stream, 0);
  EXPECT_EQ(block.quantizers()[0].value, 28);
  EXPECT_EQ(parser.malformed_lines(), 0U);
}

TEST(ProgressParser, KnowsTheLastBlock) {
  ProgressParser parser;
  const auto fed = parser.feed("frame=7\nprogress=end\n");
  EXPECT_EQ(fed.blocks, 1U);
  EXPECT_TRUE(fed.has_end);
  EXPECT_TRUE(parser.newest().is_end);
}

TEST(ProgressParser, WhatIsNotAvailableIsNotThere) {
  ProgressParser parser;
  parser.feed("frame=0\nfps=0.00\nbitrate=N/A\ntotal_size=N/A\nout_time_us=N/A\nspeed=N/A\nprogress=continue\n");
  const ProgressBlock& block = parser.newest();
  EXPECT_EQ(block.frames, 0);
  EXPECT_EQ(block.frames_per_second, 0);
  EXPECT_FALSE(block.bitrate_bits_per_second);
  EXPECT_FALSE(block.output_bytes);
  EXPECT_FALSE(block.output_time_microseconds);
  EXPECT_FALSE(block.speed);
  EXPECT_FALSE(block.dropped_frames);
  EXPECT_EQ(parser.malformed_lines(), 0U);
}

TEST(ProgressParser, EveryBlockStartsEmpty) {
  ProgressParser parser;
  parser.feed(kBlock);
  const auto fed = parser.feed("frame=52\nprogress=continue\n");
  EXPECT_EQ(fed.blocks, 1U);
  EXPECT_EQ(parser.newest().frames, 52);
  EXPECT_FALSE(parser.newest().speed);
  EXPECT_TRUE(parser.newest().quantizers().empty());
}

TEST(ProgressParser, AHalfBlockIsNotABlock) {
  ProgressParser parser;
  EXPECT_EQ(parser.feed(kBlock.substr(0, kBlock.size() - 1)).blocks, 0U);
  EXPECT_FALSE(parser.newest().frames);
  EXPECT_EQ(parser.feed("\n").blocks, 1U);
  EXPECT_EQ(parser.newest().frames, 51);
}

TEST(ProgressParser, TakesNumbersAsFfmpegWritesThemUnderExtremeCircumstances) {
  ProgressParser parser;
  parser.feed("speed= 1.5e+03x\nbitrate=2.5Mbits/s\nout_time_us=-33333\nprogress=continue\r\n");
  EXPECT_EQ(parser.newest().speed, 1500);
  EXPECT_EQ(parser.newest().bitrate_bits_per_second, 2.5e6);
  EXPECT_EQ(parser.newest().output_time_microseconds, -33'333);
  EXPECT_EQ(parser.malformed_lines(), 0U);
}

TEST(ProgressParser, WhatDoesNotParseIsLeftOutAndCounted) {
  const std::vector<std::string> wrong{
      "frame=x",         "frame=-1",          "frame=1.5",        "frame=99999999999999999999",
      "fps=nan",         "fps=inf",           "fps=-1",           "fps=",
      "fps=1e999",       "speed=1.0",         "speed=fastx",      "bitrate=12",
      "bitrate=kbits/s", "bitrate=1Tbits/s",  "bitrate=-1kbits/s", "bitrate=1e308Gbits/s",
      "total_size=-5",   "out_time_us=1.5",   "dup_frames=two",   "stream_0_0_q=low",
      "no equals sign"};
  for (const std::string& line : wrong) {
    ProgressParser parser;
    parser.feed(line + "\nprogress=continue\n");
    EXPECT_EQ(parser.malformed_lines(), 1U) << line;
    const ProgressBlock& block = parser.newest();
    EXPECT_FALSE(block.frames || block.frames_per_second || block.speed ||
                 block.bitrate_bits_per_second || block.output_bytes ||
                 block.output_time_microseconds || block.duplicated_frames ||
                 !block.quantizers().empty())
        << line;
  }
}

TEST(ProgressParser, UnknownKeysAreNotAFault) {
  ProgressParser parser;
  parser.feed("stream_0_0_psnr_y=41.2\nnew_in_ffmpeg_9=yes\nstream_q=1\nstream_99999_0_q=1\n\nprogress=continue\n");
  EXPECT_EQ(parser.malformed_lines(), 0U);
  EXPECT_TRUE(parser.newest().quantizers().empty());
}

TEST(ProgressParser, ALineAtTheBoundIsReadAndOnePastItIsNot) {
  const std::string at_bound =
      "frame=" + std::string(ProgressParser::kLineBytesMax - 8, ' ') + "12";
  ASSERT_EQ(at_bound.size(), ProgressParser::kLineBytesMax);
  ProgressParser parser;
  parser.feed(at_bound + "\nprogress=continue\n");
  EXPECT_EQ(parser.newest().frames, 12);
  parser.feed(at_bound + "3\nprogress=continue\n");
  EXPECT_FALSE(parser.newest().frames);
  EXPECT_EQ(parser.malformed_lines(), 1U);
}

TEST(ProgressParser, ABlockAtTheBoundIsReadAndOnePastItIsNot) {
  const auto block = [](std::size_t lines) {
    std::string text = "frame=5\n";
    for (std::size_t i = 1; i < lines; ++i) text += "x=1\n";
    return text + "progress=continue\n";
  };
  ProgressParser parser;
  EXPECT_EQ(parser.feed(block(ProgressParser::kBlockLinesMax)).blocks, 1U);
  EXPECT_EQ(parser.malformed_lines(), 0U);
  EXPECT_EQ(parser.feed(block(ProgressParser::kBlockLinesMax + 1)).blocks, 0U);
  EXPECT_EQ(parser.malformed_lines(), 2U);
  EXPECT_EQ(parser.feed(kBlock).blocks, 1U);  // and goes on as if nothing had been
}

TEST(ProgressParser, QuantizersAreKeptUpToTheBound) {
  ProgressParser parser;
  std::string text;
  for (std::size_t i = 0; i <= ProgressBlock::kQuantizersMax; ++i) {
    text += "stream_0_" + std::to_string(i) + "_q=1\n";
  }
  parser.feed(text + "progress=continue\n");
  EXPECT_EQ(parser.newest().quantizers().size(), ProgressBlock::kQuantizersMax);
  EXPECT_EQ(parser.malformed_lines(), 1U);
}

TEST(ProgressParser, RestartForgetsTheHalfReadBlock) {
  ProgressParser parser;
  parser.feed("frame=77\ndrop_fra");
  parser.restart();
  parser.feed(kBlock);
  EXPECT_EQ(parser.newest().frames, 51);
  parser.restart();
  parser.feed("progress=continue\n");
  EXPECT_FALSE(parser.newest().frames);
}

// However the stream is cut into pieces, it says the same.
TEST(ProgressParser, PiecesOfAnySizeAreTheSameStream) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random{seed};
  for (int round = 0; round < 200; ++round) {
    std::string stream;
    for (int i = 0; i < 10; ++i) {
      stream += kBlock;
      if (random() % 3 == 0) {
        // Noise, of bytes that are likely to matter.
        for (std::size_t n = random() % 600; n > 0; --n) {
          stream += "=\n0 .N/Aframepogs\0x\xFF"[random() % 19];
        }
        stream += '\n';
      }
    }
    ProgressParser whole;
    const auto all = whole.feed(stream);
    ProgressParser pieces;
    std::size_t blocks = 0;
    for (std::string_view rest = stream; !rest.empty();) {
      const std::size_t bytes = 1 + random() % 400;
      blocks += pieces.feed(rest.substr(0, bytes)).blocks;
      rest.remove_prefix(std::min(bytes, rest.size()));
    }
    ASSERT_EQ(blocks, all.blocks);
    ASSERT_EQ(pieces.malformed_lines(), whole.malformed_lines());
    ASSERT_EQ(pieces.newest().frames, whole.newest().frames);
  }
}

TEST(ProgressParser, SurvivesAnyBytes) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random{seed};
  ProgressParser parser;
  for (int round = 0; round < 3000; ++round) {
    std::string stream{kBlock};
    for (int i = 0; i < 8; ++i) stream[random() % stream.size()] = static_cast<char>(random());
    parser.feed(stream);
  }
  parser.feed("\nprogress=end\n");
  EXPECT_EQ(parser.feed(kBlock).blocks, 1U);
  EXPECT_EQ(parser.newest().frames, 51);
}

}  // namespace
}  // namespace fieldpost
