// SPDX-License-Identifier: Apache-2.0
// AWS IoT fleet provisioning: the device's own request is signed, and the device registered through a template of the account.
// The first time over a connection with a claim certificate, which all devices of a batch share; and for a renewal over the
// device's own, whose policy must allow the same topics: the template then gives its thing the new certificate.
// Source: AWS IoT developer guide, "Fleet provisioning MQTT API": create-from-csr, then provision.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/identity/identity_options.hpp"
#include "agent/identity/signing_authority.hpp"
#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"

namespace fieldpost {

class AwsClaim final : public SigningAuthority {
 public:
  /// Both lent, both outlive it. `name`: of the provisioning template. `parameters`: what it asks for, such as SerialNumber.
  /// `thing`: what the device is called already; empty: what the template calls it. Nothing is subscribed to before it is
  /// asked: where a policy forbids that, the service hangs up.
  AwsClaim(EventLoop& loop, Link& link, std::string name, TemplateParameters parameters, std::string thing = {});

  /// Signs and registers. `answer` gets the chain once both are done.
  /// Errors: Unavailable (no connection); through `answer` Denied (with the service's code and words; the template means
  ///         another thing), Timeout (no word after kAttemptsMax)
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

  void listen();
  void publish();
  void rejected(std::string_view payload);
  void created(std::string_view payload);
  void provisioned(std::string_view payload);
  void finish(Result<std::string> outcome);

  EventLoop& loop_;
  Link& link_;
  std::string place_;  ///< "$aws/provisioning-templates/NAME/provision/json"
  TemplateParameters parameters_;
  std::string expected_thing_;
  bool listening_ = false;
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
