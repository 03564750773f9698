// SPDX-License-Identifier: Apache-2.0
// Jobs over MQTT as AWS IoT has them, below any base topic: "$aws/things/THING/jobs", or "PREFIX/DEVICE/jobs" behind a plain
// broker, where `fieldpost fleet` is the service.
//
//     BASE/notify-next                  <- the head of the list changed
//     BASE/$next/get, BASE/JOB/get      -> BASE/.../get/accepted, rejected
//     BASE/JOB/update                   -> BASE/JOB/update/accepted, rejected
//
// A notice is only a reason to ask: what it says may be old by the time it is here. An answer counts if it bears the token of
// the question that is open; so late, doubled and strangers' answers change nothing.
// Source: AWS IoT developer guide, "Jobs device MQTT API operations"; codes and what to do: protocols.md 1.7
#pragma once

#include "agent/cloud/job_channel.hpp"
#include "agent/link/backoff.hpp"
#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"
#include "platform/log.hpp"

namespace fieldpost {

class MqttJobs final : public JobChannel {
 public:
  /// All lent, all outlive it. `base`: without a slash at its end.
  MqttJobs(EventLoop& loop, Log& log, Link& link, std::string base, Backoff::Random random = system_random());

  void look(std::string job, Found found) override;
  void tell(JobReport report, Told told) override;
  void stop() override;
  void on_notice(std::function<void()> notice) override { notice_ = std::move(notice); }

  /// Without an answer, or throttled: again after this and a back-off that grows from the second to the third.
  static constexpr milliseconds kPauseMin{5'000};
  static constexpr Backoff::Limits kPause{milliseconds{10'000}, milliseconds{640'000}};

 private:
  struct Request {
    explicit Request(Backoff::Random random) : backoff{kPause, std::move(random)} {}
    std::string topic = {};
    std::string token = {};  ///< empty: nothing is asked
    Backoff backoff;
    Subscription again = {};
  };

  void begin(Request& request, std::string topic);
  void send(Request& request);
  void wait(Request& request);
  void end(Request& request);
  std::string question() const;
  std::string report() const;
  void answered(std::string_view topic, std::string_view payload);
  void found(const std::optional<JobExecution>& execution);
  void told(JobAnswer answer);
  void refused(std::string_view code, std::string_view words, const std::optional<std::pair<JobStatus, std::int64_t>>& state);

  EventLoop& loop_;
  Log& log_;
  Link& link_;
  std::string base_;
  std::string token_stem_;
  unsigned tokens_ = 0;
  Request look_;
  Request tell_;
  Found found_;
  Told told_;
  JobReport report_;
  bool shortened_ = false;  ///< the details were left out: the cloud did not take them
  bool adopted_ = false;    ///< a version of the cloud's once already
  std::function<void()> notice_;
};

}  // namespace fieldpost
