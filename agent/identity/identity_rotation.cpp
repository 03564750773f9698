// SPDX-License-Identifier: Apache-2.0
#include "agent/identity/identity_rotation.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "platform/crc32c.hpp"
#include "platform/durable_file.hpp"

namespace fieldpost {
namespace {

constexpr std::size_t kRequestBytesMax = 64U << 10U;

/// Devices that got their certificates on one day do not ask on one day: each has its own place in a twentieth of the
/// life, of three days at most.
nanoseconds spread(const std::string& device, nanoseconds life) {
  constexpr nanoseconds kSpreadMax = std::chrono::hours{72};
  constexpr std::int64_t kParts = 1 << 16;
  const auto part = static_cast<std::int64_t>(crc32c(std::as_bytes(std::span{device})) % kParts);
  return std::clamp(life / 20, nanoseconds{0}, kSpreadMax) / kParts * part;
}

}  // namespace

std::string_view to_string(IdentityRotation::State state) noexcept {
  switch (state) {
    case IdentityRotation::State::idle: return "idle";
    case IdentityRotation::State::working: return "working";
    case IdentityRotation::State::asking: return "asking";
    case IdentityRotation::State::proving: return "proving";
    case IdentityRotation::State::waiting: return "waiting";
  }
  return "?";
}

IdentityRotation::IdentityRotation(EventLoop& loop, Log& log, std::string directory, IdentityOptions options,
                                   SigningAuthority& authority, Prove prove, std::function<void()> renewed)
    : loop_{loop},
      log_{log},
      directory_{std::move(directory)},
      options_{std::move(options)},
      authority_{authority},
      prove_{std::move(prove)},
      renewed_{std::move(renewed)} {}

IdentityRotation::~IdentityRotation() = default;

void IdentityRotation::start() {
  next_look_ = loop_.after(kFirstLook, [this] { look(); });
}

void IdentityRotation::stop() {
  stopped_ = true;
  ++turn_;
  next_look_.reset();
  next_telling_.reset();
  wish_done_ = nullptr;
}

void IdentityRotation::renew_now(std::function<void(Result<void>)> done) {
  if (stopped_) return;
  wished_ = true;
  wish_done_ = std::move(done);
  // What works now comes to a look by itself, and a proof is the renewal that is wished for.
  if (status_.state != State::working && status_.state != State::proving) look();
}

void IdentityRotation::wish_ends(const Result<void>& outcome) {
  wished_ = false;
  if (const auto done = std::exchange(wish_done_, nullptr)) done(outcome);
}

UtcTime IdentityRotation::certain_time() const {
  // An unsynchronised clock may be anywhere; the floor is over for certain. A new certificate is refused as expired by
  // what is certain only; whether the old one is due is asked of the best guess, for renewed too early does no harm.
  const UtcReading utc = loop_.clock().utc();
  return utc.synchronised ? utc.time : loop_.clock().floor();
}

bool IdentityRotation::is_due(const DeviceCertificate& certificate) const {
  const nanoseconds life = certificate.not_after - std::max(certificate.not_before, UtcTime{});
  UtcTime due = renewal_due(certificate);
  // An age that was meant for longer lives must not let a short one expire.
  if (options_.renew_after) due = std::min(due, certificate.not_before + *options_.renew_after);
  return loop_.clock().utc_above_floor().time >= due + spread(options_.device, life);
}

void IdentityRotation::work(std::function<Result<IdentityDirectory>()> job, std::function<void(IdentityDirectory)> then) {
  status_.state = State::working;
  next_look_.reset();
  // The thread lives for the step only: there is one in months.
  if (!worker_) worker_ = Worker::start(loop_, "identity", 2);
  auto found = std::make_shared<std::optional<Result<IdentityDirectory>>>();
  const std::uint64_t turn = ++turn_;
  const auto done = [this, turn, found, then = std::move(then)] {
    if (turn != turn_) return;  // an answer came meanwhile, and has been looked at since
    worker_.reset();
    if (**found) {
      then(std::move(***found));
    } else {
      pause(kLookInterval, (*found)->error());
      wish_ends((*found)->error());
    }
  };
  if (worker_ == nullptr || !worker_->submit([found, job = std::move(job)] { *found = job(); }, done)) {
    pause(kUnreachablePause, {ErrorKind::Unavailable, "no thread to be had"});
  }
}

void IdentityRotation::look() {
  work([directory = directory_] { return IdentityDirectory::open(directory); },
       [this](IdentityDirectory identity) { go_on(std::move(identity)); });
}

void IdentityRotation::go_on(IdentityDirectory identity) {
  status_.certificate.reset();
  if (identity.current()) {
    auto certificate = DeviceCertificate::read(identity.current()->certificate_file);
    if (certificate) status_.certificate = std::move(*certificate);
    if (!told_) tell();
  }
  if (identity.pending() && identity.pending()->has_certificate) {
    prove(identity);
  } else if (identity.pending()) {
    request();  // asking again keeps the key; the request of before may have been cut off
  } else if (status_.certificate && (wished_ || is_due(*status_.certificate))) {
    log_.info("certificate is to be renewed", {{"valid_until", to_rfc3339(status_.certificate->not_after)}});
    request();
  } else {
    rest(State::idle, kLookInterval);
    if (!identity.fault().empty()) status_.last_error = identity.fault();
    if (wished_) wish_ends(Error{ErrorKind::NotPresent, "there is no identity in use to renew; `fieldpost provision` makes one"});
  }
}

void IdentityRotation::request() {
  work(
      [directory = directory_, key = options_.key, subject = options_.subject]() -> Result<IdentityDirectory> {
        auto opened = TRY(IdentityDirectory::open(directory));
        TRY(opened.request(key, subject));
        return opened;
      },
      [this](const IdentityDirectory& identity) { ask(identity); });
}

void IdentityRotation::rest(State state, nanoseconds time) {
  ++turn_;
  settling_ = false;
  status_.state = state;
  next_look_ = loop_.after(time, [this] { look(); });
}

void IdentityRotation::ask(const IdentityDirectory& identity) {
  const auto request = read_file(identity.pending()->request_file, kRequestBytesMax);
  if (!request) {
    pause(kLookInterval, request.error());
    return;
  }
  const auto asked = authority_.ask(*request, [this](const Result<std::string>& chain) { answered(chain); });
  if (!asked) {
    pause(kUnreachablePause, asked.error());
    return;
  }
  // Then it is said again: the one who answers may not have been there.
  rest(State::asking, kLookInterval);
}

/// Whoever may publish can answer: what is not a certificate for this key changes nothing, and the next answer counts.
void IdentityRotation::answered(const Result<std::string>& chain_pem) {
  if (settling_ || stopped_) return;
  if (!chain_pem) {
    // The one who was not reached is asked again soon; the one who refuses is not.
    const bool passes = chain_pem.error().kind() == ErrorKind::Unavailable;
    pause(passes ? kUnreachablePause : kLookInterval, chain_pem.error());
    if (!passes) wish_ends(chain_pem.error());
    return;
  }
  work(
      [directory = directory_, chain = *chain_pem, now = certain_time()]() -> Result<IdentityDirectory> {
        auto opened = TRY(IdentityDirectory::open(directory));
        TRY(opened.install(chain, now));
        return opened;
      },
      [this](const IdentityDirectory& installed) { prove(installed); });
}

void IdentityRotation::prove(const IdentityDirectory& identity) {
  settling_ = true;
  status_.state = State::proving;
  prove_(*identity.pending(), [this](const Result<void>& outcome) { proved(outcome); });
}

void IdentityRotation::proved(const Result<void>& outcome) {
  if (stopped_) return;
  // While nothing is known of it, it stays: without a network every identity fails.
  const bool refused = !outcome && outcome.error().kind() == ErrorKind::Denied;
  if (!outcome && (!refused || ++proofs_failed_ < kProofsMax)) {
    pause(kProofPause, outcome.error().with_context("the new certificate is not proved yet"));
    return;
  }
  const bool taken = outcome.has_value();
  const Error refusal = taken ? Error{ErrorKind::Bug, ""} : outcome.error().with_context("the new certificate is given up");
  proofs_failed_ = 0;
  work(
      [directory = directory_, taken]() -> Result<IdentityDirectory> {
        auto opened = TRY(IdentityDirectory::open(directory));
        TRY(taken ? opened.adopt() : opened.discard());
        return opened;
      },
      [this, taken, refusal](const IdentityDirectory& identity) {
        if (!taken) {
          pause(kLongPause, refusal);
          wish_ends(refusal);
          return;
        }
        ++status_.renewals;
        status_.last_error.clear();
        renewed_();
        if (const auto certificate = DeviceCertificate::read(identity.current()->certificate_file)) {
          log_.info("certificate renewed", {{"serial", certificate->serial}, {"valid_until", to_rfc3339(certificate->not_after)}});
          status_.certificate = *certificate;
          tell();
        }
        // Not at once again, whatever was configured, and wherever the clock stands.
        rest(State::idle, kLongPause);
        wish_ends({});
      });
}

void IdentityRotation::tell() {
  if (!status_.certificate) return;
  told_ = true;
  authority_.tell_in_use(*status_.certificate, [this](const Result<void>& heard) {
    if (heard || stopped_) return;
    // A broker that refuses will not be asked every ten seconds.
    const bool passes = heard.error().kind() == ErrorKind::Unavailable || heard.error().kind() == ErrorKind::Io;
    if (!passes) status_.last_error = heard.error().with_context("telling which certificate is in use").sentence();
    next_telling_ = loop_.after(passes ? kTellPause : kLongPause, [this] { tell(); });
  });
}

void IdentityRotation::pause(nanoseconds time, const Error& error) {
  if (status_.last_error != error.sentence() && error.kind() != ErrorKind::Unavailable) {
    log_.warn("certificate could not be renewed, the one in use stays", {{"error", error.sentence()}});
  }
  status_.last_error = error.sentence();
  rest(State::waiting, time);
}

}  // namespace fieldpost
