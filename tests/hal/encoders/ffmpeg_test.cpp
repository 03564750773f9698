// SPDX-License-Identifier: Apache-2.0
// The driver against an encoder whose bytes the test writes itself.
#include "hal/encoders/ffmpeg.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <string>

#include "platform/unix_socket.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {
namespace {

using std::chrono::seconds;

class Ffmpeg : public testing::Test, private SampleSink {
 protected:
  using Values = std::map<std::string, OptionValue, std::less<>>;
  using Readings = std::map<std::string, double>;

  Result<std::unique_ptr<Source>> open(std::string listen) {
    const OptionValues options{Values{{"listen", std::move(listen)}}};
    return open_ffmpeg({tree_, table_, options, "studio"});
  }

  void open() {
    auto source = open("unix:" + path_);
    ASSERT_TRUE(source) << source.error().sentence();
    source_ = std::move(*source);
  }

  FileDescriptor connect() {
    auto connection = connect_unix(path_);
    EXPECT_TRUE(connection);
    return std::move(*connection);
  }

  static void write(const FileDescriptor& encoder, std::string_view text) {
    ASSERT_EQ(::send(encoder.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }

  /// One read of the source: value by what stands after "fieldpost_encoder_" in the series' name.
  Readings read(int at_second) {
    readings_.clear();
    const auto result = source_->read(*this, BootTime{seconds{at_second}});
    EXPECT_TRUE(result) << result.error().sentence();
    return readings_;
  }

  void accept(const Sample& sample) override {
    const Series& series = table_[sample.series];
    constexpr std::string_view kPrefix = "fieldpost_encoder_";
    EXPECT_TRUE(series.name.starts_with(kPrefix)) << series.name;
    EXPECT_EQ(series.labels.at(0), (Label{"encoder", "studio"}));
    std::string key = series.name.substr(kPrefix.size());
    if (series.labels.size() > 1) {
      key += ":" + series.labels[1].value + ":" + series.labels[2].value;
    }
    EXPECT_TRUE(readings_.emplace(key, sample.value.real()).second) << key << " came twice in a read";
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.path() + "/progress.sock";
  FileTree tree_{"/"};
  SeriesTable table_;
  std::unique_ptr<Source> source_;
  Readings readings_;
};

TEST_F(Ffmpeg, WithoutAnEncoderSaysSo) {
  open();
  const auto readings = read(1);
  EXPECT_EQ(readings.at("connected"), 0);
  EXPECT_EQ(readings.at("restarts_total"), 0);
  EXPECT_EQ(readings.at("progress_blocks_total"), 0);
  EXPECT_FALSE(readings.contains("frames_total"));
  EXPECT_FALSE(readings.contains("last_progress_age_seconds"));
  EXPECT_FALSE(readings.contains("finished"));
}

TEST_F(Ffmpeg, ANewEncoderCountsFromZero) {
  open();
  const auto encoder = connect();
  write(encoder, "frame=12\ntotal_size=5000\nprogress=continue\n");
  auto readings = read(1);
  EXPECT_EQ(readings.at("connected"), 1);
  EXPECT_EQ(readings.at("frames_total"), 0);
  EXPECT_EQ(readings.at("output_bytes_total"), 0);
  EXPECT_EQ(readings.at("finished"), 0);
  readings = read(2);
  EXPECT_EQ(readings.at("frames_total"), 12);
  EXPECT_EQ(readings.at("output_bytes_total"), 5000);
  EXPECT_EQ(readings.at("progress_blocks_total"), 1);
  EXPECT_FALSE(readings.contains("speed_ratio"));
}

TEST_F(Ffmpeg, GivesEveryFigureInItsUnit) {
  open();
  const auto encoder = connect();
  read(1);
  write(encoder,
        "frame=50\nfps=25.0\nstream_0_0_q=28.0\nstream_1_3_q=-1.0\nbitrate=1500.5kbits/s\n"
        "total_size=375125\nout_time_us=2000000\ndup_frames=1\ndrop_frames=2\nspeed=0.98x\n"
        "progress=continue\n");
  const auto readings = read(2);
  EXPECT_EQ(readings.at("frames_total"), 50);
  EXPECT_EQ(readings.at("frames_per_second"), 25);
  EXPECT_EQ(readings.at("quantizer:0:0"), 28);
  EXPECT_EQ(readings.at("quantizer:1:3"), -1);
  EXPECT_EQ(readings.at("bitrate_bits_per_second"), 1'500'500);
  EXPECT_EQ(readings.at("output_bytes_total"), 375'125);
  EXPECT_EQ(readings.at("output_time_seconds"), 2);
  EXPECT_EQ(readings.at("duplicated_frames_total"), 1);
  EXPECT_EQ(readings.at("dropped_frames_total"), 2);
  EXPECT_EQ(readings.at("speed_ratio"), 0.98);
  EXPECT_EQ(readings.at("last_progress_age_seconds"), 0);
  EXPECT_EQ(readings.at("malformed_lines_total"), 0);
}

TEST_F(Ffmpeg, ASilentEncoderGrowsOldAndRepeatsNothing) {
  open();
  const auto encoder = connect();
  read(1);
  write(encoder, "frame=1\nprogress=continue\n");
  read(2);
  const auto readings = read(12);
  EXPECT_EQ(readings.at("connected"), 1);
  EXPECT_EQ(readings.at("last_progress_age_seconds"), 10);
  EXPECT_FALSE(readings.contains("frames_total"));
}

TEST_F(Ffmpeg, AnEncoderThatConnectsAndSaysNothingGrowsOldToo) {
  open();
  const auto encoder = connect();
  read(1);
  EXPECT_EQ(read(8).at("last_progress_age_seconds"), 7);
}

TEST_F(Ffmpeg, OfSeveralBlocksInAReadTheNewestCounts) {
  open();
  const auto encoder = connect();
  read(1);
  write(encoder, "frame=1\nprogress=continue\nframe=2\nprogress=continue\nframe=3\nprog");
  auto readings = read(2);
  EXPECT_EQ(readings.at("frames_total"), 2);
  EXPECT_EQ(readings.at("progress_blocks_total"), 2);
  write(encoder, "ress=continue\n");
  EXPECT_EQ(read(3).at("frames_total"), 3);
}

TEST_F(Ffmpeg, TheLastFiguresOfAnEncoderThatHasGoneAreRead) {
  open();
  {
    const auto encoder = connect();
    read(1);
    write(encoder, "frame=99\nprogress=end\n");
  }
  auto readings = read(2);
  EXPECT_EQ(readings.at("frames_total"), 99);
  EXPECT_EQ(readings.at("finished"), 1);
  EXPECT_EQ(readings.at("connected"), 0);
  readings = read(3);
  EXPECT_EQ(readings.at("connected"), 0);
  EXPECT_EQ(readings.at("finished"), 1);
  EXPECT_FALSE(readings.contains("frames_total"));
}

TEST_F(Ffmpeg, AnEncoderThatBreaksOffHasNotFinished) {
  open();
  {
    const auto encoder = connect();
    read(1);
    write(encoder, "frame=99\nprogress=continue\nframe=1");
  }
  const auto readings = read(2);
  EXPECT_EQ(readings.at("frames_total"), 99);
  EXPECT_EQ(readings.at("finished"), 0);
}

TEST_F(Ffmpeg, ARestartedEncoderIsTakenOnAndItsCountersStartAnew) {
  open();
  {
    const auto encoder = connect();
    read(1);
    write(encoder, "frame=99\nprogress=end\n");
  }
  const auto second = connect();
  write(second, "frame=5\nprogress=continue\n");
  EXPECT_EQ(read(2).at("frames_total"), 99);  // the old one to its end
  auto readings = read(3);
  EXPECT_EQ(readings.at("frames_total"), 0);
  EXPECT_EQ(readings.at("restarts_total"), 1);
  EXPECT_EQ(readings.at("finished"), 0);
  EXPECT_EQ(read(4).at("frames_total"), 5);
}

TEST_F(Ffmpeg, ASuccessorTakesOverFromAHalfDeadEncoder) {
  open();
  const auto dead = connect();
  read(1);
  write(dead, "frame=40\nprogress=continue\n");
  const auto second = connect();
  write(second, "frame=2\nprogress=continue\n");
  EXPECT_EQ(read(2).at("frames_total"), 40);
  EXPECT_EQ(read(3).at("frames_total"), 0);
  EXPECT_EQ(read(4).at("frames_total"), 2);
}

TEST_F(Ffmpeg, TheBrokenLineOfOneEncoderDoesNotSpoilTheNext) {
  open();
  {
    const auto encoder = connect();
    read(1);
    write(encoder, "frame=4\nframe=3");
  }
  read(2);
  const auto second = connect();
  read(3);
  write(second, "drop_frames=1\nprogress=continue\n");
  const auto readings = read(4);
  EXPECT_EQ(readings.at("dropped_frames_total"), 1);
  EXPECT_FALSE(readings.contains("frames_total"));
}

TEST_F(Ffmpeg, AFloodCostsABoundedReadAndIsCounted) {
  open();
  const auto encoder = connect();
  read(1);
  // As much as the kernel takes, many times over: garbage without a newline, then blocks.
  const std::string garbage(100'000, 'x');
  for (int t = 2; t < 40; ++t) {
    (void)::send(encoder.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    read(t);
  }
  write(encoder, "\nframe=8\nprogress=continue\n");
  const auto readings = read(50);
  EXPECT_EQ(readings.at("frames_total"), 8);
  EXPECT_EQ(readings.at("malformed_lines_total"), 1);
}

TEST_F(Ffmpeg, InventedStreamsAreBounded) {
  open();
  const auto encoder = connect();
  read(1);
  const std::size_t before = table_.size();
  for (int i = 0; i < 100; ++i) {
    write(encoder, "stream_" + std::to_string(i) + "_0_q=1.0\nprogress=continue\n");
    read(2 + i);
  }
  EXPECT_EQ(table_.size(), before + 16);
}

TEST_F(Ffmpeg, ListensOnTcpToo) {
  // Port 0 is refused, so a free one is looked for.
  std::unique_ptr<Source> source;
  std::uint16_t port = 9700;
  for (; port < 9800 && !source; ++port) {
    auto opened = open("tcp:127.0.0.1:" + std::to_string(port));
    if (opened) source = std::move(*opened);
  }
  ASSERT_TRUE(source);
  --port;
  source_ = std::move(source);
  const FileDescriptor encoder{::socket(AF_INET, SOCK_STREAM, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(encoder.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(read(1).at("connected"), 1);
  write(encoder, "frame=3\nprogress=end\n");
  EXPECT_EQ(read(2).at("frames_total"), 3);
}

TEST_F(Ffmpeg, ASecondSourceAtTheSameSocketIsRefused) {
  open();
  const auto second = open("unix:" + path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::Unavailable);
}

TEST_F(Ffmpeg, AnAgentThatStartsAgainFindsItsSocketFree) {
  open();
  source_.reset();
  open();
  const auto encoder = connect();
  EXPECT_EQ(read(1).at("connected"), 1);
}

TEST_F(Ffmpeg, WithoutAnAddressItIsRefusedByName) {
  const auto source = open("");
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().kind(), ErrorKind::OutOfRange);
  EXPECT_NE(source.error().sentence().find("listen"), std::string::npos);
}

}  // namespace
}  // namespace fieldpost
