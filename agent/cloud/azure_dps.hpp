// SPDX-License-Identifier: Apache-2.0
// Azure's Device Provisioning Service: over a connection with the certificate that attests the device, it is registered and
// told which hub is its own. Where the enrolment issues certificates (preview), the device's own request goes along.
// Source: "Communicate with DPS using MQTT"; reference/protocols.md 2.3.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/link/link.hpp"
#include "platform/event_loop.hpp"

namespace fieldpost {

class AzureDps {
 public:
  struct Registered {
    std::string hub;        ///< "hub-7.azure-devices.net"
    std::string device_id;
    std::string chain_pem;  ///< issued; empty where no request went along
  };
  using Answer = std::function<void(Result<Registered>)>;

  /// All lent, all outlive it. `request_pem`: to be signed; empty: the attesting certificate is the hub's as well.
  AzureDps(EventLoop& loop, Link& link, std::string registration_id, const std::string& request_pem);

  /// Registers; to be called once the link is up. `answer` runs once.
  /// Errors: through `answer` Denied (with the service's code and words), Timeout (no word, or no end), Malformed
  void begin(Answer answer);

  /// What the link must be for this service: host, client identifier, user name, no will.
  static LinkOptions link_options(LinkOptions options, const std::string& host, const std::string& scope,
                                  const std::string& registration_id, bool with_request);
  /// The registration identifier that a certificate attests: the common name of "CN=gw-1, O=Acme".
  /// Errors: Malformed (none, or with what no registration is called)
  static Result<std::string> registration_id(std::string_view subject);

  static constexpr std::string_view kHost = "global.azure-devices-provisioning.net";
  static constexpr nanoseconds kSilenceMax = std::chrono::seconds{15};
  static constexpr nanoseconds kPollPause = std::chrono::seconds{3};  ///< where the service names none
  static constexpr int kSilencesMax = 6;
  static constexpr nanoseconds kTimeMax = std::chrono::minutes{10};

 private:
  void publish();
  void receive(std::string_view topic, std::string_view payload);
  void assigned(std::string_view payload);
  void finish(Result<Registered> outcome);

  EventLoop& loop_;
  Link& link_;
  std::string registration_id_;
  std::string request_;  ///< base64 of the request's DER
  std::string operation_;
  std::string last_refusal_;
  Answer answer_;
  BootTime deadline_;
  Subscription next_;
  int silences_ = 0;
  int number_ = 0;  ///< of the latest publish: $rid
};

}  // namespace fieldpost
