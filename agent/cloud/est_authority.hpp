// SPDX-License-Identifier: Apache-2.0
// Enrolment over Secure Transport: the request goes to a CA's HTTPS server, the certificate comes back, at once or after the
// pauses that the server names. The first time with a user's name or a batch's certificate, a renewal with the device's own.
// Source: RFC 7030 (cacerts, simpleenroll, simplereenroll), with the clarifications of RFC 8951
#pragma once

#include <memory>
#include <string>

#include "agent/identity/signing_authority.hpp"
#include "platform/event_loop.hpp"
#include "platform/http.hpp"

namespace fieldpost {

struct EstOptions {
  std::string url;  ///< https://host[:port]; the path /.well-known/est unless it has one
  std::string username;
  std::string password;
  bool renewal = false;  ///< simplereenroll
};

class EstAuthority final : public SigningAuthority {
 public:
  /// Both lent, both outlive it.
  EstAuthority(EventLoop& loop, HttpClient& http, EstOptions options);

  /// Errors: as HttpClient::fetch; through `answer` Denied (with the server's words), Unavailable (not reached, or too
  ///         busy to say until when), Malformed (no EST server)
  Result<void> ask(const std::string& request_pem, Answer answer) override;
  /// The server knows what it signed.
  void tell_in_use(const DeviceCertificate& certificate, std::function<void(Result<void>)> done) override;
  /// It was asked, and wants to be asked again later.
  bool waits() const noexcept { return static_cast<bool>(again_); }

  static constexpr seconds kPauseMin{1};
  static constexpr seconds kPauseMax{86'400};

 private:
  Result<void> fetch_authorities();
  Result<void> enrol();
  Result<void> fetch(HttpRequest request, void (EstAuthority::*then)(const HttpHead&));
  void authorities_came(const HttpHead& head);
  void certificate_came(const HttpHead& head);
  /// Nothing if the answer is what it should be.
  bool refused(const HttpHead& head);
  void finish(Result<std::string> outcome);

  EventLoop& loop_;
  HttpClient& http_;
  EstOptions options_;
  std::string request_;      ///< base64 of its DER
  std::string body_;         ///< as far as it came
  std::string authorities_;
  Answer answer_;
  std::unique_ptr<HttpExchange> exchange_;
  Subscription again_;
};

}  // namespace fieldpost
