// SPDX-License-Identifier: Apache-2.0
#include "agent/link/tls_refusal.hpp"

#include <algorithm>
#include <string_view>

namespace fieldpost {

namespace {

std::string seconds_text(UtcTime time) {
  // Milliseconds mean nothing in a certificate.
  auto text = to_rfc3339(std::chrono::floor<std::chrono::seconds>(time));
  if (const auto dot = text.find('.'); dot != std::string::npos) text = text.substr(0, dot) + "Z";
  return text;
}

std::string clock_text(const UtcReading& clock) {
  return "this device's clock says " + seconds_text(clock.time) +
         (clock.synchronised ? " and is synchronised" : " and is not synchronised");
}

std::string joined(const std::vector<std::string>& names) {
  constexpr std::size_t kNamesShown = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamesShown); ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kNamesShown) text += ", ...";
  return text.empty() ? "no name at all" : text;
}

struct AlertName {
  unsigned alert;
  std::string_view name;
};

constexpr AlertName kAlerts[] = {
    {10, "unexpected message"},      {20, "bad record"},          {40, "handshake failure"},
    {42, "bad certificate"},         {43, "unsupported certificate"}, {44, "certificate revoked"},
    {45, "certificate expired"},     {46, "certificate unknown"}, {47, "illegal parameter"},
    {48, "unknown CA"},              {49, "access denied"},       {50, "decode error"},
    {51, "decrypt error"},           {70, "protocol version"},    {71, "insufficient security"},
    {80, "internal error"},          {86, "inappropriate fallback"}, {90, "user canceled"},
    {109, "missing extension"},      {110, "unsupported extension"}, {112, "unrecognized name"},
    {113, "bad certificate status"}, {115, "unknown PSK identity"},  {116, "certificate required"},
    {120, "no application protocol"},
};

std::string alert_name(unsigned alert) {
  const auto* found = std::find_if(std::begin(kAlerts), std::end(kAlerts), [&](const AlertName& a) { return a.alert == alert; });
  return found != std::end(kAlerts) ? std::string{found->name} : "alert " + std::to_string(alert);
}

}  // namespace

Error explain(const RefusedCertificate& refused) {
  const auto whose = refused.is_authority ? "the CA certificate '" + refused.subject + "' above " + refused.peer
                                          : "the certificate of " + refused.peer;
  const auto denied = [](std::string sentence) { return Error{ErrorKind::Denied, std::move(sentence)}; };
  switch (refused.fault) {
    case CertificateFault::unknown_authority:
      // The certificate at fault is the topmost one the broker sent, so its issuer is what is missing.
      return denied("the certificate of " + refused.peer + " leads up to '" + refused.issuer + "', which is not in " +
                    refused.ca_path + "; put the broker's CA certificate into ca_file");
    case CertificateFault::revoked:
      return denied(whose + " has been revoked by its CA (" + refused.crl_path + "); give the broker a new one");
    case CertificateFault::expired:
      return denied(whose + " expired at " + seconds_text(refused.not_after) + " (" + clock_text(refused.clock) +
                    "); renew it");
    case CertificateFault::not_yet_valid:
      return denied(whose + " is not valid before " + seconds_text(refused.not_before) + " (" + clock_text(refused.clock) +
                    (refused.clock.synchronised ? "); wait, or have it issued with an earlier date"
                                                : "); set the clock, or let NTP set it"));
    case CertificateFault::wrong_name:
      return denied(whose + " is for " + joined(refused.names) + " and not for '" + refused.expected_name +
                    "'; use such a name in the URL, or set server_name");
    case CertificateFault::list_untrusted:
      return denied("the revocation list " + refused.crl_path + " is not signed by the CA of " + refused.peer +
                    "; fetch the right one");
    case CertificateFault::list_expired:
      return denied("the revocation list " + refused.crl_path + " is out of date (" + clock_text(refused.clock) +
                    "); fetch a newer one");
    case CertificateFault::list_not_yet_valid:
      return denied("the revocation list " + refused.crl_path + " is from the future (" + clock_text(refused.clock) +
                    "); check the clock");
    case CertificateFault::weak:
      return denied(whose + " uses a key or a signature that is too weak (RSA from 2048 bits or P-256 up, SHA-256 up); "
                            "have it issued anew");
    case CertificateFault::wrong_usage:
      return denied(whose + " is not meant for a server (key usage); have it issued with serverAuth");
    case CertificateFault::other:
      break;
  }
  return denied(whose + " is refused (" + refused.detail + ")");
}

Error explain_alert(unsigned alert, const AlertContext& context) {
  const auto said = " (TLS alert: " + alert_name(alert) + ")";
  const auto denied = [](std::string sentence) { return Error{ErrorKind::Denied, std::move(sentence)}; };
  const auto unavailable = [](std::string sentence) { return Error{ErrorKind::Unavailable, std::move(sentence)}; };
  const auto wants_certificate = context.peer + " wants a client certificate and we have none" + said +
                                 "; set certificate_file and key_file";
  switch (alert) {
    case 116:
      return context.own_certificate ? denied(context.peer + " did not get a client certificate it can use" + said +
                                              "; have one issued by a CA the broker trusts")
                                     : denied(wants_certificate);
    case 40:
    case 42:
      if (!context.own_certificate) return denied(wants_certificate);
      if (alert == 40) {
        return unavailable(context.peer + " ended the handshake" + said +
                           "; it may not trust our certificate, or share no cipher suite with us: see the broker's log");
      }
      [[fallthrough]];
    case 43:
    case 46:
    case 49:
    case 51:
      return denied(context.peer + " refused our client certificate" + said +
                    "; see the broker's log for the reason");
    case 44:
      return denied(context.peer + " refused our client certificate: it has been revoked" + said + "; have a new one issued");
    case 45: {
      const bool by_our_clock = context.clock.time > context.own_not_after;
      return denied(context.peer + " refused our client certificate: it has expired" + said + "; it was valid until " +
                    seconds_text(context.own_not_after) +
                    (by_our_clock ? "; renew it" : "; renew its chain, or check the broker's clock"));
    }
    case 48:
      return denied(context.peer + " does not know the CA of our client certificate" + said +
                    "; give the broker that CA, or certificate_file its intermediate certificates");
    case 70:
    case 71:
    case 86:
      return unavailable(context.peer + " speaks none of the TLS versions we allow (" + context.versions + ")" + said +
                         "; update the broker");
    case 112:
      return unavailable(context.peer + " does not serve the name '" + context.server_name + "'" + said +
                         "; check the host in the URL, or server_name");
    case 120:
      return unavailable(context.peer + " speaks none of the ALPN protocols we offer (" + context.alpn + ")" + said +
                         "; check alpn");
    default:
      return unavailable(context.peer + " ended the connection" + said + "; see the broker's log for the reason");
  }
}

}  // namespace fieldpost
