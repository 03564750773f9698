// SPDX-License-Identifier: Apache-2.0
// AWS IoT fleet provisioning by claim: over a connection with a claim certificate, which all devices of a batch share, the
// device's own request is signed and the device registered through a template of the account.
// Source: AWS IoT developer guide, "Fleet provisioning MQTT API": create-from-csr, then provision.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/identity/signing_authority.hpp"
#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"

namespace fieldpost {

class AwsClaim final : public SigningAuthority {
 public:
  using Parameters = std::vector<std::pair<std::string, std::string>>;

  /// Both lent, both outlive it. `name`: of the provisioning template. `parameters`: what it asks for, such as SerialNumber.
  AwsClaim(EventLoop& loop, Link& link, std::string name, Parameters parameters);

  /// Signs and registers. `answer` gets the chain once both are done.
  /// Errors: none at once; through `answer` Denied (with the service's code and words), Timeout (no word after kAttemptsMax)
  Result<void> ask(const std::string& request_pem, Answer answer) override;
  /// The service sees the connection itself.
  void tell_in_use(const DeviceCertificate& certificate, std::function<void(Result<void>)> done) override;

  /// What the service calls this device: its MQTT client identifier from now on. Empty before the answer.
  const std::string& thing_name() const noexcept { return thing_name_; }

  /// A subscription can come into force a little after it was confirmed, and what is throttled wants time.
  static constexpr nanoseconds kAttemptPause = std::chrono::seconds{10};
  static constexpr int kAttemptsMax = 6;

 private:
  enum class Step : std::uint8_t { none, signing, registering };

  void publish();
  void rejected(std::string_view payload);
  void created(std::string_view payload);
  void provisioned(std::string_view payload);
  void finish(Result<std::string> outcome);

  EventLoop& loop_;
  Link& link_;
  std::string place_;  ///< "$aws/provisioning-templates/NAME/provision/json"
  Parameters parameters_;
  Step step_ = Step::none;
  std::string request_;
  std::string token_;  ///< certificateOwnershipToken
  std::string chain_;
  std::string thing_name_;
  Answer answer_;
  Subscription again_;
  int attempts_ = 0;
  std::string last_refusal_;
};

}  // namespace fieldpost
