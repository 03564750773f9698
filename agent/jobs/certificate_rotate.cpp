// SPDX-License-Identifier: Apache-2.0
// The wish is recorded with the serial of the certificate that was in use: another one in use later is the outcome, whoever saw
// it come into use.
#include "agent/jobs/operations.hpp"

namespace fieldpost {
namespace {

/// The authority may be away for long, and the renewal goes on without us.
constexpr nanoseconds kPatience = std::chrono::hours{24};

class CertificateRotate final : public JobOperation {
 public:
  explicit CertificateRotate(const JobSurroundings& around) : around_{around} {}

  void begin(JobWork& work, const JobPoint& point) override {
    work_ = &work;
    const std::string serial = around_.certificate_serial();
    if (point.step == 1 && point.note != serial) return work.finish(outcome(JobStatus::succeeded, "in use: " + serial));
    work.save(1, serial, [this] { renew(); });
  }
  void stop() override { work_->finish({}); }

 private:
  void renew() {
    patience_ = around_.loop.after(kPatience, [this] {
      work_->finish(outcome(JobStatus::failed, "the authority has not answered; the renewal goes on"));
    });
    // The renewal outlives us.
    around_.renew([this, alive = std::weak_ptr{alive_}](const Result<void>& renewed) {
      if (alive.expired()) return;
      alive_.reset();
      work_->finish(renewed ? outcome(JobStatus::succeeded, "in use: " + around_.certificate_serial())
                            : outcome(JobStatus::failed, renewed.error().sentence()));
    });
  }

  const JobSurroundings& around_;
  JobWork* work_ = nullptr;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Subscription patience_;
};

}  // namespace

Result<std::unique_ptr<JobOperation>> make_certificate_rotate(const JobSurroundings& around, const JobOrder&) {
  return std::unique_ptr<JobOperation>{std::make_unique<CertificateRotate>(around)};
}

}  // namespace fieldpost
