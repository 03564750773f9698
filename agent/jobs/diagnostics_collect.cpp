// SPDX-License-Identifier: Apache-2.0
// status.json, the configuration without its secrets, and what the kernel says of the host, as tar and zstd. It goes to
// DIAGNOSTICS/JOB/0, 1, 2 ... with QoS 1, one part at a time; the job's details say how many there are, and their CRC-32C together.
// Cut off, it is collected anew: nothing is harmed.
#include <array>
#include <cstdio>
#include <span>

#include "agent/jobs/operations.hpp"
#include "agent/jobs/tar_archive.hpp"
#include "platform/crc32c.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kFileBytesMax = 128U << 10U;
constexpr std::size_t kPartBytes = 96U << 10U;  // AWS takes 128 KB
constexpr std::size_t kPartsMax = 16;
constexpr nanoseconds kAgain = seconds{5};
constexpr int kAttemptsMax = 1'000;
constexpr std::string_view kHostFiles[] = {"/proc/version", "/proc/loadavg", "/proc/meminfo", "/proc/mounts", "/proc/uptime"};

/// Secrets stand in files of their own; what may stand in the text all the same: a password in a URL, and whatever a key's
/// name says of itself.
std::string without_secrets(const std::string& text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size() - 1);
    std::string line = text.substr(at, end + 1 - at);
    at = end + 1;
    const std::size_t equals = line.find('=');
    const std::string key = line.substr(0, equals);
    const bool secret = key.find("password") != std::string::npos || key.find("secret") != std::string::npos ||
                        key.find("token") != std::string::npos || key.find("community") != std::string::npos;
    if (equals != std::string::npos && secret && key.find("_file") == std::string::npos) line = key + "= \"(removed)\"\n";
    const std::size_t scheme = line.find("://");
    const std::size_t user_end = scheme == std::string::npos ? scheme : line.find('@', scheme);
    if (user_end != std::string::npos) line.replace(scheme + 3, user_end - scheme - 3, "(removed)");
    result += line;
  }
  return result;
}

class DiagnosticsCollect final : public JobOperation {
 public:
  DiagnosticsCollect(const JobSurroundings& around, const std::string& job)
      : around_{around}, topic_{around.diagnostics_topic + "/" + job + "/"} {}

  void begin(JobWork& work, const JobPoint&) override {
    work_ = &work;
    collect();
    if (!work.spend(static_cast<std::int64_t>(archive_.size()))) {
      return work.finish(outcome(JobStatus::failed, std::to_string(archive_.size()) +
                                                        " bytes are more than jobs may send today: \"bytes_per_day_max\" in [jobs]"));
    }
    send();
  }
  void stop() override { work_->finish({}); }

 private:
  void collect() {
    TarArchive archive{around_.loop.clock().utc_above_floor().time};
    std::size_t room = kPartBytes * kPartsMax;
    const auto add = [&archive, &room](const std::string& name, const std::string& text) {
      constexpr std::size_t kFrame = 2'048;  // header, filling, end
      if (text.size() + kFrame > room) return;
      room -= text.size() + kFrame;
      archive.add(name, text);
    };
    add("status.json", around_.status());
    for (const std::string& file : around_.configuration_files) {
      if (const auto text = read_file(file, kFileBytesMax)) add("configuration/" + file.substr(file.rfind('/') + 1), without_secrets(*text));
    }
    for (const std::string_view file : kHostFiles) {
      if (const auto text = read_file(std::string{file}, kFileBytesMax)) add("host" + std::string{file}, *text);
    }
    archive_ = std::move(archive).take();
    auto compressed = around_.compress(archive_);
    format_ = compressed ? "tar.zst" : "tar";
    if (compressed) archive_ = std::move(*compressed);
  }

  void send() {
    if (sent_ * kPartBytes >= archive_.size()) return end();
    Link::Message message;
    message.topic = topic_ + std::to_string(sent_);
    message.payload = archive_.substr(sent_ * kPartBytes, kPartBytes);
    message.content_type = "application/octet-stream";
    const auto taken = around_.link->publish(std::move(message), [this, alive = std::weak_ptr{alive_}](const Result<void>& sent) {
      if (alive.expired()) return;
      if (!sent) return again(sent.error());
      ++sent_;
      send();
    });
    if (!taken) again(taken.error());
  }

  void again(const Error& error) {
    if (++attempts_ > kAttemptsMax || error.kind() == ErrorKind::OutOfRange || error.kind() == ErrorKind::Malformed) {
      return work_->finish(outcome(JobStatus::failed, "part " + std::to_string(sent_) + ": " + error.sentence()));
    }
    timer_ = around_.loop.after(kAgain, [this] { send(); });
  }

  void end() {
    std::array<char, 9> sum{};
    std::snprintf(sum.data(), sum.size(), "%08x", static_cast<unsigned>(crc32c(std::as_bytes(std::span{archive_}))));
    work_->finish({JobStatus::succeeded,
                   {{"reason", "sent"}, {"topic", topic_}, {"parts", std::to_string(sent_)}, {"bytes", std::to_string(archive_.size())},
                    {"format", format_}, {"crc32c", sum.data()}}});
  }

  const JobSurroundings& around_;
  const std::string topic_;
  JobWork* work_ = nullptr;
  std::string archive_;
  std::string format_;
  std::size_t sent_ = 0;
  int attempts_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Subscription timer_;
};

}  // namespace

Result<std::unique_ptr<JobOperation>> make_diagnostics_collect(const JobSurroundings& around, const JobOrder& order) {
  return std::unique_ptr<JobOperation>{std::make_unique<DiagnosticsCollect>(around, order.job)};
}

}  // namespace fieldpost
