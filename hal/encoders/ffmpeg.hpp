// SPDX-License-Identifier: Apache-2.0
// An ffmpeg encoder as it tells of itself: started with `-progress unix:/path` (or tcp://...), it
// connects to us and writes a block of figures every half second.
#pragma once

#include <array>
#include <memory>

#include "hal/source.hpp"

namespace fieldpost {

inline constexpr std::array kFfmpegOptions{
    OptionDeclaration{"listen", OptionDeclaration::Type::text, true, "",
                      "where ffmpeg's -progress connects to: \"unix:/run/fieldpost/encoder.sock\" or "
                      "\"tcp:127.0.0.1:9700\""},
    OptionDeclaration{"remote_allowed", OptionDeclaration::Type::boolean, false, "false",
                      "listen on an address that other machines can reach"},
};

/// ffmpeg stops encoding when a Unix socket is full, which takes about 80 s at its usual two blocks a second
/// (README.md).
inline constexpr nanoseconds kFfmpegIntervalMax = seconds{30};

/// Listens for one encoder, and for its successors. Series `fieldpost_encoder_*{encoder=INSTANCE}`.
/// To be read every kFfmpegIntervalMax or oftener.
///
/// Unit:   frames, bytes, bits per second, seconds, ratio to real time
/// Source: ffmpeg -progress, see progress_parser.hpp
/// Errors: as listen_for_progress; Full
Result<std::unique_ptr<Source>> open_ffmpeg(const SourceContext& context);

}  // namespace fieldpost
