// SPDX-License-Identifier: Apache-2.0
// See ffmpeg.hpp. A read either takes a new encoder on or reads from the present one, never both: so
// a series has at most one sample a read, the counters of a new encoder begin with an explicit 0,
// and the last figures of the old one are not lost even if both happen between two reads.
#include "hal/encoders/ffmpeg.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hal/encoders/progress_listener.hpp"
#include "hal/encoders/progress_parser.hpp"
#include "hal/metric.hpp"
#include "platform/file_descriptor.hpp"

namespace fieldpost {
namespace {

constexpr auto kCounter = SeriesKind::counter;
constexpr auto kGauge = SeriesKind::gauge;
constexpr auto kState = SeriesKind::state;

/// Places in kMetrics.
enum Place : std::size_t {
  kConnected,
  kFinished,
  kRestarts,
  kBlocks,
  kMalformed,
  kAge,
  kFrames,
  kDropped,
  kDuplicated,
  kBytes,
  kOutputTime,
  kFrameRate,
  kBitrate,
  kSpeed,
  kPlaces,
};

constexpr std::array<Metric, kPlaces> kMetrics{{
    {"fieldpost_encoder_connected", "1 while the encoder is connected.", "", kState},
    {"fieldpost_encoder_finished", "1 if the newest encode came to its end, 0 if it runs or broke off.", "", kState},
    {"fieldpost_encoder_restarts_total", "Encoders taken on after the first.", "", kCounter},
    {"fieldpost_encoder_progress_blocks_total", "Progress blocks read.", "", kCounter},
    {"fieldpost_encoder_malformed_lines_total", "Lines of progress that were not understood.", "", kCounter},
    {"fieldpost_encoder_last_progress_age_seconds", "Since the connected encoder last told its progress.", "seconds", kGauge},
    {"fieldpost_encoder_frames_total", "Video frames encoded.", "frames", kCounter},
    {"fieldpost_encoder_dropped_frames_total", "Video frames dropped.", "frames", kCounter},
    {"fieldpost_encoder_duplicated_frames_total", "Video frames duplicated.", "frames", kCounter},
    {"fieldpost_encoder_output_bytes_total", "Bytes written to the output.", "bytes", kCounter},
    {"fieldpost_encoder_output_time_seconds", "Media time written to the output.", "seconds", kGauge},
    {"fieldpost_encoder_frames_per_second", "Frames per second, averaged over the encode.", "frames_per_second", kGauge},
    {"fieldpost_encoder_bitrate_bits_per_second", "Output bitrate, averaged over the encode.", "bits_per_second", kGauge},
    {"fieldpost_encoder_speed_ratio", "Media time over time passed; below 1 is slower than real time.", "ratio", kGauge},
}};

constexpr Metric kQuantizer{"fieldpost_encoder_quantizer", "Quantizer of the newest frame.", "", kGauge};

constexpr std::array kEncoderCounters{kFrames, kDropped, kDuplicated, kBytes};

class FfmpegSource final : public Source {
 public:
  FfmpegSource(SeriesTable& table, std::string instance, FileDescriptor listener,
               std::array<SeriesId, kPlaces> ids)
      : table_{table}, instance_{std::move(instance)}, listener_{std::move(listener)}, ids_{ids} {}

  Result<void> read(SampleSink& sink, BootTime now) override {
    const auto give = [&](Place place, Value value) { sink.accept({ids_[place], value, now}); };
    Result<void> result;
    if (connection_) {
      result = read_encoder(sink, now);
    } else {
      result = take_on(sink, now);
    }
    give(kConnected, connection_ ? 1 : 0);
    give(kRestarts, encoders_ > 1 ? encoders_ - 1 : 0);
    give(kBlocks, blocks_);
    give(kMalformed, parser_.malformed_lines());
    if (encoders_ > 0) give(kFinished, is_finished_ ? 1 : 0);
    if (connection_) give(kAge, std::chrono::duration<double>(now - newest_at_).count());
    return result;
  }

 private:
  /// An hour of progress; more than the kernel holds for a Unix socket, so that a read leaves an
  /// encoder nothing to wait for. And the bound on what a flood can cost a tick.
  static constexpr std::size_t kReadBytesMax = 1U << 20U;

  struct StreamSeries {
    std::uint16_t output;
    std::uint16_t stream;
    SeriesId id;
  };

  Result<void> take_on(SampleSink& sink, BootTime now) {
    FileDescriptor next = std::move(successor_);
    if (!next) next = TRY(accept_progress(listener_));
    if (!next) return {};
    connection_ = std::move(next);
    ++encoders_;
    is_finished_ = false;
    newest_at_ = now;
    parser_.restart();
    // ffmpeg connects before its first frame: what it counts, it counts from 0.
    for (const Place place : kEncoderCounters) sink.accept({ids_[place], Value{0}, now});
    return {};
  }

  Result<void> read_encoder(SampleSink& sink, BootTime now) {
    bool is_gone = false;
    ProgressParser::Fed fed;
    std::array<char, 16384> buffer;
    for (std::size_t taken = 0; taken < kReadBytesMax;) {
      const ssize_t bytes = ::recv(connection_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes < 0 && errno == EAGAIN) break;
      if (bytes <= 0) {  // closed, or reset: gone in either case
        is_gone = true;
        break;
      }
      taken += static_cast<std::size_t>(bytes);
      const auto piece = parser_.feed({buffer.data(), static_cast<std::size_t>(bytes)});
      fed.blocks += piece.blocks;
      fed.has_end = fed.has_end || piece.has_end;
    }
    blocks_ += fed.blocks;
    is_finished_ = is_finished_ || fed.has_end;
    if (fed.blocks > 0) {
      newest_at_ = now;
      give_block(sink, now);
    }
    if (is_gone) {
      connection_.close();
      return {};
    }
    // The newest connection is the encoder: an old one may be half dead, as TCP allows.
    successor_ = TRY(accept_progress(listener_));
    if (successor_) connection_.close();
    return {};
  }

  void give_block(SampleSink& sink, BootTime now) {
    const ProgressBlock& block = parser_.newest();
    const auto give = [&](Place place, const auto& value) {
      if (value) sink.accept({ids_[place], Value{*value}, now});
    };
    give(kFrames, block.frames);
    give(kDropped, block.dropped_frames);
    give(kDuplicated, block.duplicated_frames);
    give(kBytes, block.output_bytes);
    give(kFrameRate, block.frames_per_second);
    give(kBitrate, block.bitrate_bits_per_second);
    give(kSpeed, block.speed);
    if (block.output_time_microseconds) {
      sink.accept({ids_[kOutputTime],
                   Value{static_cast<double>(*block.output_time_microseconds) / 1e6}, now});
    }
    for (const ProgressBlock::Quantizer& quantizer : block.quantizers()) {
      if (const SeriesId* id = series_of(quantizer)) sink.accept({*id, quantizer.value, now});
    }
  }

  /// Streams are known only once the encoder speaks of them. Nothing when there are too many of
  /// them, over all encoders that came by, or of series at all.
  const SeriesId* series_of(const ProgressBlock::Quantizer& quantizer) {
    for (const StreamSeries& each : streams_) {
      if (each.output == quantizer.output && each.stream == quantizer.stream) return &each.id;
    }
    if (streams_.size() == ProgressBlock::kQuantizersMax) return nullptr;
    const auto id = add_series(table_, kQuantizer,
                               {{"encoder", instance_},
                                {"output", std::to_string(quantizer.output)},
                                {"stream", std::to_string(quantizer.stream)}});
    if (!id) return nullptr;
    streams_.push_back({quantizer.output, quantizer.stream, *id});
    return &streams_.back().id;
  }

  SeriesTable& table_;
  std::string instance_;
  FileDescriptor listener_;
  std::array<SeriesId, kPlaces> ids_;
  std::vector<StreamSeries> streams_;

  FileDescriptor connection_;
  FileDescriptor successor_;  ///< taken on at the next read
  ProgressParser parser_;
  BootTime newest_at_;
  std::uint64_t encoders_ = 0;
  std::uint64_t blocks_ = 0;
  bool is_finished_ = false;
};

}  // namespace

Result<std::unique_ptr<Source>> open_ffmpeg(const SourceContext& context) {
  FileDescriptor listener = TRY(listen_for_progress(context.options.text("listen", ""),
                                                    context.options.boolean("remote_allowed", false)));
  std::string instance{context.instance};
  const auto ids = TRY(add_series(context.series, kMetrics, {{"encoder", instance}}));
  return std::unique_ptr<Source>{std::make_unique<FfmpegSource>(context.series, std::move(instance),
                                                                std::move(listener), ids)};
}

}  // namespace fieldpost
