// SPDX-License-Identifier: Apache-2.0
// The signing authority behind a plain broker. Three topics below PREFIX/DEVICE/certificate, JSON each:
//
//     request   device ->   {"id": "1a2b3c4d", "request": PEM}
//     answer    -> device   {"id": "1a2b3c4d", "certificate": PEM chain}  or  {"id": ..., "error": "words"}
//     in_use    device ->   {"serial": "0a:1b", "subject": ..., "not_after": RFC 3339}
//
// The id is the request's CRC-32C: an answer to another request, or to one of before, is not ours. Whoever may publish
// on `answer` can have nothing signed and nothing used: what comes is taken only for the key that is here, and used only if the
// broker accepts it. At worst he delays a renewal; give that right to the backend alone.
#pragma once

#include <string>
#include <string_view>

#include "agent/identity/signing_authority.hpp"
#include "agent/link/link.hpp"

namespace fieldpost {

class MqttAuthority final : public SigningAuthority {
 public:
  /// `link` is lent and outlives it. `place`: "fieldpost/gw-1/certificate".
  MqttAuthority(Link& link, std::string place);

  Result<void> ask(const std::string& request_pem, Answer answer) override;
  void tell_in_use(const DeviceCertificate& certificate, std::function<void(Result<void>)> done) override;

 private:
  void receive(std::string_view payload);

  Link& link_;
  std::string place_;
  std::string id_;
  Answer answer_;
};

}  // namespace fieldpost
