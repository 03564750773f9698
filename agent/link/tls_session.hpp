// SPDX-License-Identifier: Apache-2.0
// One TLS connection as a record layer: mbedTLS between the two queues of a Wire. Sending always
// succeeds into the queue, so TLS itself never has to say "want write", whose rule ("call again
// with the same arguments") is a trap; see reference in README.md.
#pragma once

#include <memory>
#include <string>

#include "agent/link/record_layer.hpp"
#include "agent/link/socket_address.hpp"
#include "agent/link/tls_settings.hpp"
#include "platform/clock.hpp"

namespace fieldpost {

/// Whom we expect at the other end.
struct TlsPeer {
  std::string called;  ///< for messages: "broker.example:8883"
  /// Checked against the certificate; sent as SNI unless it is an IP address, which is compared
  /// with the certificate's addresses instead (RFC 6066 forbids addresses in SNI).
  std::string name;
};

class TlsSession final : public RecordLayer {
 public:
  enum class Handshake : std::uint8_t { wants_more, done };

  /// `settings`, `clock` and the queues are lent and outlive the session.
  /// Errors: Full  no memory
  static Result<std::unique_ptr<TlsSession>> make(TlsSettings& settings, const Clock& clock, TlsPeer peer,
                                                  ByteQueue& incoming, ByteQueue& outgoing);
  ~TlsSession() override;

  /// Goes as far as the bytes that came allow.
  /// Errors: Denied       either side refuses the other's certificate; the sentence says which and why
  ///         Malformed    this is not TLS
  ///         Unavailable  no version, suite or protocol in common
  Result<Handshake> shake_hands();
  /// Why the handshake failed, when all the peer did was to hang up.
  Error hung_up() const;

  /// True when the peer's certificate is not valid yet and was accepted all the same, because this device's
  /// clock is not synchronised; once the handshake is done. When the time is known it is judged again, by read().
  bool certificate_early() const noexcept;
  /// "TLS 1.3, TLS1-3-AES-256-GCM-SHA384, resumed"; once the handshake is done.
  std::string description() const;

  std::size_t write_max() const override;
  Result<void> write(std::span<const std::uint8_t> plaintext) override;
  /// Errors: Denied  in TLS 1.3 a refused client certificate shows up only here; so does, of the peer's, what the
  ///                 clock could not tell at the handshake
  Result<Read> read(ByteQueue& plaintext) override;
  void close() override;

  struct State;  ///< of the file named after mbedtls alone

 private:
  explicit TlsSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fieldpost
