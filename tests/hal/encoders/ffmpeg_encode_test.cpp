// SPDX-License-Identifier: Apache-2.0
// The driver against the real ffmpeg: what it says in the end is what is in the file. Waits for a
// process of another project, so it takes some seconds of real time; skips itself without ffmpeg.
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "hal/counter_step.hpp"
#include "hal/encoders/ffmpeg.hpp"
#include "tests/support/temporary_directory.hpp"

extern char** environ;

namespace fieldpost {
namespace {

using std::chrono::steady_clock;

/// A program run to its end; its standard output. Empty if it cannot be started.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return text;
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
  ::pclose(pipe);
  return text;
}

class FfmpegEncode : public testing::Test, private SampleSink {
 protected:
  void SetUp() override {
    if (output_of("ffmpeg -version").empty() || output_of("ffprobe -version").empty()) {
      GTEST_SKIP() << "ffmpeg and ffprobe are not installed (apt-get install ffmpeg)";
    }
    open("unix:" + socket_path_);
  }

  void TearDown() override {
    if (encoder_ > 0) {
      ::kill(encoder_, SIGKILL);
      ::waitpid(encoder_, nullptr, 0);
    }
  }

  void open(const std::string& listen) {
    const OptionValues options{std::map<std::string, OptionValue, std::less<>>{{"listen", listen}}};
    auto source = open_ffmpeg({tree_, table_, options, "bench"});
    ASSERT_TRUE(source) << source.error().sentence();
    source_ = std::move(*source);
  }

  void start_encode(double length_seconds, const std::string& progress_url) {
    std::vector<std::string> arguments{
        "ffmpeg", "-nostdin", "-nostats", "-loglevel", "error", "-y", "-re",
        "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25", "-t", std::to_string(length_seconds),
        "-c:v", "mpeg4", "-f", "mpegts", "-stats_period", "0.2", "-progress", progress_url, file_};
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    ASSERT_EQ(::posix_spawnp(&encoder_, "ffmpeg", nullptr, nullptr, pointers.data(), environ), 0);
  }

  void read() {
    const auto now = steady_clock::now().time_since_epoch();
    const auto result = source_->read(*this, BootTime{std::chrono::duration_cast<nanoseconds>(now)});
    EXPECT_TRUE(result) << result.error().sentence();
  }

  void accept(const Sample& sample) override {
    const std::string& name = table_[sample.series].name;
    const auto before = newest_.find(name);
    if (table_[sample.series].kind == SeriesKind::counter && before != newest_.end()) {
      increase_[name] += counter_step(0, before->second, sample.value).amount();
    }
    newest_[name] = sample.value;
    ++samples_[name];
  }

  double newest(const std::string& name) const {
    const auto found = newest_.find("fieldpost_encoder_" + name);
    return found == newest_.end() ? -1 : found->second.real();
  }

  /// Reads at a tick of 100 ms until the encoder has ended, and its last words are read.
  /// Gives ffmpeg's exit status; -1 if it takes too long.
  int read_to_the_end() {
    const auto deadline = steady_clock::now() + std::chrono::seconds{60};
    while (steady_clock::now() < deadline) {
      if (source_) read();
      int status = 0;
      if (::waitpid(encoder_, &status, WNOHANG) == encoder_) {
        encoder_ = -1;
        if (source_) {
          for (int i = 0; i < 3; ++i) read();
        }
        return status;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    return -1;
  }

  double frames_in_file() const {
    const std::string text =
        output_of("ffprobe -v error -select_streams v:0 -count_frames -show_entries "
                  "stream=nb_read_frames -of csv=p=0 '" + file_ + "'");
    return text.empty() ? -2 : std::stod(text);
  }

  double bytes_in_file() const {
    struct stat status {};
    return ::stat(file_.c_str(), &status) == 0 ? static_cast<double>(status.st_size) : -2;
  }

  TemporaryDirectory directory_;
  std::string socket_path_ = directory_.path() + "/progress.sock";
  std::string file_ = directory_.path() + "/encoded.ts";
  FileTree tree_{"/"};
  SeriesTable table_;
  std::unique_ptr<Source> source_;
  pid_t encoder_ = -1;
  std::map<std::string, Value> newest_;
  std::map<std::string, double> increase_;
  std::map<std::string, int> samples_;
};

TEST_F(FfmpegEncode, SaysInTheEndWhatIsInTheFile) {
  start_encode(3, "unix:" + socket_path_);
  ASSERT_EQ(read_to_the_end(), 0);
  EXPECT_EQ(newest("frames_total"), 75);
  EXPECT_EQ(newest("frames_total"), frames_in_file());
  EXPECT_EQ(newest("output_bytes_total"), bytes_in_file());
  EXPECT_EQ(newest("finished"), 1);
  EXPECT_EQ(newest("connected"), 0);
  EXPECT_EQ(newest("malformed_lines_total"), 0);
  EXPECT_EQ(newest("dropped_frames_total"), 0);
  EXPECT_NEAR(newest("output_time_seconds"), 3, 0.2);
  EXPECT_GT(newest("bitrate_bits_per_second"), 1000);
  EXPECT_GT(newest("speed_ratio"), 0.3);
  EXPECT_GT(newest("quantizer"), 0);
  EXPECT_GE(newest("progress_blocks_total"), 5);
  EXPECT_GE(samples_["fieldpost_encoder_frames_total"], 5);
}

TEST_F(FfmpegEncode, ARestartedEncodersFramesAddUp) {
  start_encode(1.2, "unix:" + socket_path_);
  ASSERT_EQ(read_to_the_end(), 0);
  const double first = frames_in_file();
  start_encode(2, "unix:" + socket_path_);
  ASSERT_EQ(read_to_the_end(), 0);
  EXPECT_EQ(newest("restarts_total"), 1);
  EXPECT_EQ(increase_["fieldpost_encoder_frames_total"], first + frames_in_file());
}

TEST_F(FfmpegEncode, SpeaksOverTcpToo) {
  source_.reset();
  std::string port;
  for (int candidate = 9800; candidate < 9900 && !source_; ++candidate) {
    port = std::to_string(candidate);
    const OptionValues options{
        std::map<std::string, OptionValue, std::less<>>{{"listen", "tcp:127.0.0.1:" + port}}};
    auto source = open_ffmpeg({tree_, table_, options, "bench"});
    if (source) source_ = std::move(*source);
  }
  ASSERT_TRUE(source_);
  start_encode(1, "tcp://127.0.0.1:" + port);
  ASSERT_EQ(read_to_the_end(), 0);
  EXPECT_EQ(newest("frames_total"), frames_in_file());
  EXPECT_EQ(newest("finished"), 1);
}

TEST_F(FfmpegEncode, AnEncoderOutlivesTheAgent) {
  start_encode(2, "unix:" + socket_path_);
  const auto deadline = steady_clock::now() + std::chrono::seconds{30};
  while (newest("frames_total") <= 0 && steady_clock::now() < deadline) {
    read();
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  ASSERT_GT(newest("frames_total"), 0);
  source_.reset();  // the agent dies; ffmpeg's connection breaks
  EXPECT_EQ(read_to_the_end(), 0);
  EXPECT_EQ(frames_in_file(), 50);
}

}  // namespace
}  // namespace fieldpost
