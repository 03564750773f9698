// SPDX-License-Identifier: Apache-2.0
// See tls_session.hpp.
#include <mbedtls/error.h>
#include <mbedtls/oid.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "agent/link/tls_mbedtls.hpp"
#include "agent/link/tls_refusal.hpp"
#include "agent/link/tls_session.hpp"

namespace fieldpost {

struct TlsSession::State {
  State(TlsSettings& settings_, const Clock& clock_, TlsPeer peer_, ByteQueue& incoming_, ByteQueue& outgoing_)
      : settings{settings_}, clock{clock_}, peer{std::move(peer_)}, incoming{incoming_}, outgoing{outgoing_} {
    mbedtls_ssl_init(&ssl);
  }
  ~State() { mbedtls_ssl_free(&ssl); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// What the verify callback saw of one fault.
  struct Seen {
    std::string subject;
    std::string issuer;
    bool is_authority = false;
    UtcTime not_before{};
    UtcTime not_after{};
  };

  void look_at(const mbedtls_x509_crt& certificate, int depth, std::uint32_t& flags);
  Result<void> judge_again();
  bool names_address(const mbedtls_x509_crt& certificate) const;
  /// mbedTLS 3.6 says "want read" also when it only wants to be called again: in TLS 1.3 once for
  /// each ticket, with the record it has read still in hand. Nobody would wake us for that.
  bool should_call_again() noexcept {
    const bool took = incoming.size() != size_before;
    size_before = incoming.size();
    // Should it ever ask without end and take nothing, a later byte is better than a busy loop.
    rounds_without_bytes = took ? 0 : rounds_without_bytes + 1;
    return rounds_without_bytes <= kRoundsWithoutBytesMax && has_more();
  }
  bool has_more() const noexcept { return !incoming.empty() || mbedtls_ssl_check_pending(&ssl) != 0; }
  void keep_session();
  AlertContext alert_context() const;
  Error explain_failure(int code) const;
  Error explain_certificate(std::uint32_t flags) const;

  static constexpr int kRoundsWithoutBytesMax = 8;

  TlsSettings& settings;
  const Clock& clock;
  TlsPeer peer;
  std::size_t size_before = 0;
  int rounds_without_bytes = 0;
  ByteQueue& incoming;
  ByteQueue& outgoing;
  mbedtls_ssl_context ssl{};
  bool certificate_shown = false;  // a resumed handshake shows none
  bool handshake_done = false;
  bool peer_spoke = false;
  std::uint32_t flags_seen = 0;
  std::array<Seen, 32> seen{};     // by bit of the flags
  std::vector<std::string> names;
  CertificateValidity validity;    // of the chain that was shown, or of the session that was resumed
  bool early = false;              // it is not valid yet, by a clock that nobody vouches for
  bool judged_surely = false;      // by a clock that was synchronised
};

namespace {

struct FaultOfFlag {
  std::uint32_t flag;
  CertificateFault fault;
};

/// In the order in which they are told: who signed it matters before what it says.
constexpr FaultOfFlag kFaults[] = {
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, CertificateFault::unknown_authority},
    {MBEDTLS_X509_BADCERT_REVOKED, CertificateFault::revoked},
    {MBEDTLS_X509_BADCERT_EXPIRED, CertificateFault::expired},
    {MBEDTLS_X509_BADCERT_FUTURE, CertificateFault::not_yet_valid},
    {MBEDTLS_X509_BADCERT_CN_MISMATCH, CertificateFault::wrong_name},
    {MBEDTLS_X509_BADCRL_NOT_TRUSTED, CertificateFault::list_untrusted},
    {MBEDTLS_X509_BADCRL_EXPIRED, CertificateFault::list_expired},
    {MBEDTLS_X509_BADCRL_FUTURE, CertificateFault::list_not_yet_valid},
    {MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK, CertificateFault::weak},
    {MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_NS_CERT_TYPE,
     CertificateFault::wrong_usage},
};

std::string printable(const mbedtls_x509_name& name) {
  std::array<char, 256> text{};
  if (mbedtls_x509_dn_gets(text.data(), text.size(), &name) < 0) return "?";
  return text.data();
}

std::string printable(const mbedtls_x509_buf& bytes) {
  std::string text{reinterpret_cast<const char*>(bytes.p), bytes.len};
  // It comes from outside and goes into a log line.
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

std::string address_text(const mbedtls_x509_buf& bytes) {
  SocketAddress address;
  if (bytes.len != 4 && bytes.len != 16) return "?";
  address.family = bytes.len == 4 ? SocketAddress::Family::v4 : SocketAddress::Family::v6;
  std::memcpy(address.bytes.data(), bytes.p, bytes.len);
  return address.host_text();
}

std::vector<std::string> names_of(const mbedtls_x509_crt& certificate) {
  std::vector<std::string> names;
  for (const auto* entry = &certificate.subject_alt_names; entry != nullptr && entry->buf.p != nullptr; entry = entry->next) {
    mbedtls_x509_subject_alternative_name name{};
    if (mbedtls_x509_parse_subject_alt_name(&entry->buf, &name) != 0) continue;
    if (name.type == MBEDTLS_X509_SAN_DNS_NAME) names.push_back("'" + printable(name.san.unstructured_name) + "'");
    if (name.type == MBEDTLS_X509_SAN_IP_ADDRESS) names.push_back(address_text(name.san.unstructured_name));
    mbedtls_x509_free_subject_alt_name(&name);
  }
  if (!names.empty()) return names;
  for (const auto* entry = &certificate.subject; entry != nullptr; entry = entry->next) {
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &entry->oid) == 0) names.push_back("'" + printable(entry->val) + "'");
  }
  return names;
}

int verify(void* context, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) {
  static_cast<TlsSession::State*>(context)->look_at(*certificate, depth, *flags);
  return 0;
}

int send_into_queue(void* context, const unsigned char* bytes, std::size_t count) {
  auto& queue = static_cast<TlsSession::State*>(context)->outgoing;
  if (queue.room() < count) return MBEDTLS_ERR_SSL_INTERNAL_ERROR;  // the relay keeps it from happening
  queue.push({bytes, count});
  return static_cast<int>(count);
}

int receive_from_queue(void* context, unsigned char* bytes, std::size_t count) {
  auto& queue = static_cast<TlsSession::State*>(context)->incoming;
  if (queue.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
  static_cast<TlsSession::State*>(context)->peer_spoke = true;
  const std::size_t taken = std::min(count, queue.size());
  std::memcpy(bytes, queue.front().data(), taken);
  queue.pop(taken);
  return static_cast<int>(taken);
}

std::string versions_text(const TlsSettings::Loaded& loaded) {
  const auto text = [](LinkOptions::TlsVersion v) { return v == LinkOptions::TlsVersion::v1_2 ? "1.2" : "1.3"; };
  const std::string lowest = text(loaded.tls_min);
  const std::string highest = text(loaded.tls_max);
  return lowest == highest ? "TLS " + lowest : "TLS " + lowest + " to " + highest;
}

}  // namespace

bool TlsSession::State::names_address(const mbedtls_x509_crt& certificate) const {
  const auto wanted = parse_address(peer.name, 0);
  const std::size_t length = wanted->family == SocketAddress::Family::v4 ? 4 : 16;
  for (const auto* entry = &certificate.subject_alt_names; entry != nullptr && entry->buf.p != nullptr; entry = entry->next) {
    const bool is_address = (entry->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == MBEDTLS_X509_SAN_IP_ADDRESS;
    if (is_address && entry->buf.len == length && std::memcmp(entry->buf.p, wanted->bytes.data(), length) == 0) return true;
  }
  return false;
}

void TlsSession::State::look_at(const mbedtls_x509_crt& certificate, int depth, std::uint32_t& flags) {
  certificate_shown = true;
  if (depth == 0) {
    names = names_of(certificate);
    if (parse_address(peer.name, 0) && !names_address(certificate)) flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
  }
  validity.not_before = std::max(validity.not_before, to_utc(certificate.valid_from));
  validity.not_after = std::min(validity.not_after, to_utc(certificate.valid_to));
  // A board without a battery for its clock starts in 1970, and may need this connection before it learns the
  // time. That a certificate is over is seen all the same, by the floor.
  constexpr std::uint32_t kEarly = MBEDTLS_X509_BADCERT_FUTURE | MBEDTLS_X509_BADCRL_FUTURE;
  if ((flags & kEarly) != 0 && !clock.utc().synchronised) {
    early = true;
    flags &= ~kEarly;
  }
  for (std::size_t bit = 0; bit < seen.size(); ++bit) {
    const std::uint32_t flag = std::uint32_t{1} << bit;
    if ((flags & flag) == 0 || (flags_seen & flag) != 0) continue;
    seen[bit] = {printable(certificate.subject), printable(certificate.issuer), depth > 0,
                 to_utc(certificate.valid_from), to_utc(certificate.valid_to)};
  }
  flags_seen |= flags;
}

Error TlsSession::State::explain_certificate(std::uint32_t flags) const {
  const auto& loaded = settings.loaded();
  RefusedCertificate refused;
  refused.peer = peer.called;
  refused.expected_name = peer.name;
  refused.names = names;
  refused.clock = clock.utc_above_floor();
  refused.ca_path = loaded.ca_path;
  refused.crl_path = loaded.crl_path;
  refused.detail = "flags " + std::to_string(flags);
  for (const auto& [flag, fault] : kFaults) {
    if ((flags & flag) == 0) continue;
    const auto bit = static_cast<std::size_t>(__builtin_ctz(flags & flag));
    refused.fault = fault;
    refused.subject = seen[bit].subject;
    refused.issuer = seen[bit].issuer;
    refused.is_authority = seen[bit].is_authority;
    refused.not_before = seen[bit].not_before;
    refused.not_after = seen[bit].not_after;
    break;
  }
  return explain(refused);
}

/// What was accepted under a clock that nobody vouched for is judged once more when the time is known better.
Result<void> TlsSession::State::judge_again() {
  if (judged_surely || !handshake_done) return {};
  const UtcReading now = clock.utc_above_floor();
  judged_surely = now.synchronised;
  const bool expired = now.time > validity.not_after;
  if (!expired && !(now.synchronised && now.time < validity.not_before)) return {};
  settings.forget_session();
  RefusedCertificate refused;
  refused.peer = peer.called;
  refused.fault = expired ? CertificateFault::expired : CertificateFault::not_yet_valid;
  refused.not_before = validity.not_before;
  refused.not_after = validity.not_after;
  refused.clock = now;
  return explain(refused);
}

AlertContext TlsSession::State::alert_context() const {
  const auto& loaded = settings.loaded();
  AlertContext context;
  context.peer = peer.called;
  context.own_certificate = loaded.has_own_certificate();
  if (context.own_certificate) context.own_not_after = to_utc(loaded.own_chain.valid_to);
  context.clock = clock.utc_above_floor();
  context.server_name = peer.name;
  for (const auto& protocol : loaded.alpn) context.alpn += (context.alpn.empty() ? "" : ", ") + protocol;
  context.versions = versions_text(loaded);
  return context;
}

Error TlsSession::State::explain_failure(int code) const {
  switch (code) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
      return explain_certificate(flags_seen);
    case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
      // The usage is checked apart from the chain, and only the result tells.
      return explain_certificate(mbedtls_ssl_get_verify_result(&ssl));
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
      // 3.6 has no call that tells which alert came; the message still lies in the input buffer
      // (ssl_msg.c, mbedtls_ssl_handle_message_type). The version is pinned and the matrix would notice.
      return explain_alert(ssl.MBEDTLS_PRIVATE(in_msg)[1], alert_context());
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
    case MBEDTLS_ERR_SSL_UNEXPECTED_RECORD:
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
      if (!handshake_done && !certificate_shown) {
        return Error{ErrorKind::Malformed, peer.called + " does not speak TLS on this port; use the broker's TLS port "
                                                         "(usually 8883), or mqtt:// if you want no protection"};
      }
      break;
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
      return explain_alert(70, alert_context());
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
      return Error{ErrorKind::Unavailable, peer.called + " shares no cipher suite, curve or signature with us (" +
                                               versions_text(settings.loaded()) + "); update the broker"};
    default:
      break;
  }
  return Error{ErrorKind::Unavailable, "TLS with " + peer.called + " failed (" + mbedtls_text(code) + ")"};
}

void TlsSession::State::keep_session() {
  auto& loaded = settings.loaded();
  settings.forget_session();
  if (mbedtls_ssl_get_session(&ssl, &loaded.session) != 0) {
    settings.forget_session();
    return;
  }
  loaded.session_present = true;
  loaded.session_name = peer.name;
  loaded.peer_validity = validity;
}

TlsSession::TlsSession(std::unique_ptr<State> state) : state_{std::move(state)} {}
TlsSession::~TlsSession() = default;

Result<std::unique_ptr<TlsSession>> TlsSession::make(TlsSettings& settings, const Clock& clock, TlsPeer peer,
                                                     ByteQueue& incoming, ByteQueue& outgoing) {
  auto state = std::make_unique<State>(settings, clock, std::move(peer), incoming, outgoing);
  auto& loaded = settings.loaded();
  auto* ssl = &state->ssl;
  const bool is_address = parse_address(state->peer.name, 0).has_value();
  int code = mbedtls_ssl_setup(ssl, &loaded.config);
  // A null name says: no SNI and no check of yours; look_at() compares the address.
  if (code == 0) code = mbedtls_ssl_set_hostname(ssl, is_address ? nullptr : state->peer.name.c_str());
  if (code != 0) return Error{ErrorKind::Full, "TLS: " + mbedtls_text(code)};
  mbedtls_ssl_set_verify(ssl, verify, state.get());
  mbedtls_ssl_set_bio(ssl, state.get(), send_into_queue, receive_from_queue, nullptr);
  if (loaded.session_present) {
    // A resumed handshake shows no certificate, so nobody would check another name or a later date.
    const UtcReading now = clock.utc_above_floor();
    const bool invalid = now.time > loaded.peer_validity.not_after || (now.synchronised && now.time < loaded.peer_validity.not_before);
    const bool other_peer = loaded.session_name != state->peer.name;
    if (invalid || other_peer || mbedtls_ssl_set_session(ssl, &loaded.session) != 0) settings.forget_session();
  }
  return std::unique_ptr<TlsSession>{new TlsSession{std::move(state)}};
}

Result<TlsSession::Handshake> TlsSession::shake_hands() {
  const MbedtlsTimeScope time{state_->clock};
  int code = 0;
  do {
    code = mbedtls_ssl_handshake(&state_->ssl);
  } while (code == MBEDTLS_ERR_SSL_WANT_READ && state_->should_call_again());
  if (code == MBEDTLS_ERR_SSL_WANT_READ) return Handshake::wants_more;
  if (code != 0) {
    state_->settings.forget_session();
    return state_->explain_failure(code);
  }
  state_->handshake_done = true;
  const UtcReading now = state_->clock.utc_above_floor();
  if (!state_->certificate_shown) state_->validity = state_->settings.loaded().peer_validity;
  state_->early = state_->early || now.time < state_->validity.not_before;
  state_->judged_surely = now.synchronised;
  // In 1.3 the broker sends its ticket later, and read() keeps the session then.
  if (mbedtls_ssl_get_version_number(&state_->ssl) == MBEDTLS_SSL_VERSION_TLS1_2) state_->keep_session();
  return Handshake::done;
}

Error TlsSession::hung_up() const {
  const auto& peer = state_->peer.called;
  state_->settings.forget_session();
  if (!state_->peer_spoke) {
    return Error{ErrorKind::Malformed, peer + " does not speak TLS on this port (it hung up on our greeting); use the "
                                              "broker's TLS port (usually 8883), or mqtt:// if you want no protection"};
  }
  return Error{ErrorKind::Unavailable, peer + " hung up during the TLS handshake; see the broker's log for the reason"};
}

bool TlsSession::certificate_early() const noexcept { return state_->early; }

std::string TlsSession::description() const {
  const bool v1_3 = mbedtls_ssl_get_version_number(&state_->ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
  const char* suite = mbedtls_ssl_get_ciphersuite(&state_->ssl);
  return std::string{v1_3 ? "TLS 1.3, " : "TLS 1.2, "} + (suite != nullptr ? suite : "?") +
         (state_->certificate_shown ? "" : ", resumed") +
         (state_->early ? ", certificate accepted before its time: this device's clock is not synchronised" : "");
}

std::size_t TlsSession::write_max() const {
  const int most = mbedtls_ssl_get_max_out_record_payload(&state_->ssl);
  return most > 0 ? static_cast<std::size_t>(most) : 1024;
}

Result<void> TlsSession::write(std::span<const std::uint8_t> plaintext) {
  const MbedtlsTimeScope time{state_->clock};
  while (!plaintext.empty()) {
    const int count = mbedtls_ssl_write(&state_->ssl, plaintext.data(), std::min(plaintext.size(), write_max()));
    if (count == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
      state_->keep_session();
      continue;
    }
    if (count < 0) return state_->explain_failure(count);
    plaintext = plaintext.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<RecordLayer::Read> TlsSession::read(ByteQueue& plaintext) {
  const MbedtlsTimeScope time{state_->clock};
  TRY(state_->judge_again());
  constexpr std::size_t kRecordMax = 16U << 10U;
  for (;;) {
    const auto space = plaintext.reserve(kRecordMax);
    if (space.empty()) {
      plaintext.commit(0);
      // poll() cannot see what is deciphered already: mbedTLS must be asked.
      return state_->has_more() ? Read::full : Read::wants_more;
    }
    const int count = mbedtls_ssl_read(&state_->ssl, space.data(), space.size());
    plaintext.commit(count > 0 ? static_cast<std::size_t>(count) : 0);
    if (count > 0) continue;
    switch (count) {
      case MBEDTLS_ERR_SSL_WANT_READ:
        if (state_->should_call_again()) continue;
        return Read::wants_more;
      case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
        state_->keep_session();
        continue;
      case 0:
      case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return Read::closed;
      default:
        state_->settings.forget_session();
        return state_->explain_failure(count);
    }
  }
}

void TlsSession::close() {
  if (state_->handshake_done) mbedtls_ssl_close_notify(&state_->ssl);
}

}  // namespace fieldpost
