// SPDX-License-Identifier: Apache-2.0
#include "agent/link/mqtt_reason.hpp"

#include <algorithm>
#include <array>

namespace fieldpost {

namespace {

struct Reason {
  int code;
  ErrorKind kind;
  std::string_view name;
  std::string_view advice;
};

constexpr Reason kReasons[] = {
    {0x80, ErrorKind::Unavailable, "unspecified error", "see the broker's log for the reason"},
    {0x81, ErrorKind::Malformed, "malformed packet", "report this as a bug of Fieldpost"},
    {0x82, ErrorKind::Malformed, "protocol error", "see the broker's log for the reason"},
    {0x83, ErrorKind::Unavailable, "implementation specific error", "see the broker's log for the reason"},
    {0x84, ErrorKind::Unavailable, "unsupported protocol version", "set mqtt_version to 3.1.1"},
    {0x85, ErrorKind::Denied, "client identifier not valid", "set name in [device] to one the broker accepts"},
    {0x86, ErrorKind::Denied, "bad user name or password", "check username and password_file"},
    {0x87, ErrorKind::Denied, "not authorized", "give this device the right in the broker's access list or policy"},
    {0x88, ErrorKind::Unavailable, "server unavailable", "try again later"},
    {0x89, ErrorKind::Unavailable, "server busy", "try again later"},
    {0x8A, ErrorKind::Denied, "banned", "have the broker's administrator lift the ban"},
    {0x8B, ErrorKind::Unavailable, "server shutting down", "it is tried again"},
    {0x8C, ErrorKind::Denied, "bad authentication method", "check what the broker wants to authenticate with"},
    {0x8D, ErrorKind::Unavailable, "keep alive timeout", "the network is slower than keep_alive allows: raise it"},
    {0x8E, ErrorKind::Denied, "session taken over", "another device has our name: give each its own in [device]"},
    {0x8F, ErrorKind::OutOfRange, "topic filter invalid", "correct the filter"},
    {0x90, ErrorKind::Denied, "topic name invalid", "set a topic_prefix the broker takes"},
    {0x93, ErrorKind::Unavailable, "receive maximum exceeded", "report this as a bug of Fieldpost"},
    {0x95, ErrorKind::OutOfRange, "packet too large", "raise the broker's limit (mosquitto: max_packet_size)"},
    {0x96, ErrorKind::Unavailable, "message rate too high", "send less, or raise the broker's limit"},
    {0x97, ErrorKind::Unavailable, "quota exceeded", "raise the broker's quota"},
    {0x98, ErrorKind::Unavailable, "administrative action", "ask the broker's administrator"},
    {0x99, ErrorKind::Malformed, "payload format invalid", "choose a payload format the broker takes"},
    {0x9A, ErrorKind::OutOfRange, "retain not supported", "do not retain"},
    {0x9B, ErrorKind::OutOfRange, "QoS not supported", "use a broker that takes QoS 1"},
    {0x9C, ErrorKind::Unavailable, "use another server", "change the host in the URL"},
    {0x9D, ErrorKind::Unavailable, "server moved", "change the host in the URL"},
    {0x9E, ErrorKind::OutOfRange, "shared subscriptions not supported", "use plain filters"},
    {0x9F, ErrorKind::Unavailable, "connection rate exceeded", "it is tried again with longer pauses"},
    {0xA0, ErrorKind::Unavailable, "maximum connect time", "it is tried again"},
    {0xA2, ErrorKind::OutOfRange, "wildcard subscriptions not supported", "use filters without wildcards"},
};

Reason reason_of(int code) {
  const auto* found = std::find_if(std::begin(kReasons), std::end(kReasons), [&](const Reason& r) { return r.code == code; });
  return found != std::end(kReasons) ? *found
                                     : Reason{code, ErrorKind::Unavailable, "unknown reason", "see the broker's log for the reason"};
}

std::string code_text(int code) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto bits = static_cast<unsigned>(code) & 0xFFU;
  return std::string{"0x"} + kDigits[bits >> 4U] + kDigits[bits & 15U];
}

Error told(const std::string& what, int code) {
  const Reason reason = reason_of(code);
  return Error{reason.kind, what + ": " + std::string{reason.name} + " (reason " + code_text(code) + "); " +
                                std::string{reason.advice}};
}

}  // namespace

Error explain_connack(LinkOptions::MqttVersion version, int code, const MqttPeer& peer) {
  // The five return codes of 3.1.1 have the meaning of these reasons of 5. A broker that does not
  // know version 5 answers it with return code 1 as well.
  constexpr std::array<int, 6> kOfReturnCode = {0, 0x84, 0x85, 0x88, 0x86, 0x87};
  if (code > 0 && code < static_cast<int>(kOfReturnCode.size())) code = kOfReturnCode[static_cast<std::size_t>(code)];
  const auto what = peer.called + " refused our CONNECT";
  if (code == 0x84 && version == LinkOptions::MqttVersion::v3_1_1) {
    return Error{ErrorKind::Unavailable, what + ": it does not speak MQTT 3.1.1; set mqtt_version to 5"};
  }
  if (code == 0x85) {
    return Error{ErrorKind::Denied, what + ": client identifier '" + peer.client_id +
                                        "' not valid (reason 0x85); set name in [device] to one the broker accepts"};
  }
  if (code == 0x86 && !peer.has_username) {
    return Error{ErrorKind::Denied, what + ": it wants a user name and a password (reason 0x86); set username and password_file"};
  }
  if (code == 0x87) {
    return Error{ErrorKind::Denied, what + ": not authorized (reason 0x87); have the broker allow client identifier '" +
                                        peer.client_id + (peer.has_username ? "' and its user" : "' and its certificate")};
  }
  return told(what, code);
}

Error explain_disconnect(int code, const MqttPeer& peer) {
  if (code == 0x8E) {
    return Error{ErrorKind::Denied, peer.called + " ended the connection: session taken over (reason 0x8e); another device uses "
                                                  "our client_id '" + peer.client_id + "': give each its own"};
  }
  return told(peer.called + " ended the connection", code);
}

Error explain_puback(int code) {
  // Only these two say of the message that it will never be taken; sync gives up for good what is of their kinds.
  Error error = told("the broker refused a message", code);
  const bool hopeless = error.kind() == ErrorKind::OutOfRange || error.kind() == ErrorKind::Malformed;
  if (hopeless && code != 0x95 && code != 0x99) return Error{ErrorKind::Unavailable, error.sentence()};
  return error;
}

Error explain_suback(int code, std::string_view filter) {
  return told("the broker refused our subscription to '" + std::string{filter} + "'", code);
}

}  // namespace fieldpost
