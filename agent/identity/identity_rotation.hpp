// SPDX-License-Identifier: Apache-2.0
// Renews the device's identity by itself: when it is due, a new key and a request; the authority's answer is taken over,
// proved by a connection, and only then used. Every step stands on the disk before the next begins, and a start finds by
// looking there which one comes next; so it may be cut off anywhere. Without an answer nothing changes: the identity in use
// stays until a better one is proved.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/identity/identity_directory.hpp"
#include "agent/identity/identity_options.hpp"
#include "agent/identity/signing_authority.hpp"
#include "platform/event_loop.hpp"
#include "platform/log.hpp"
#include "platform/worker.hpp"

namespace fieldpost {

class IdentityRotation {
 public:
  /// Connects with the generation's key and certificate and says whether the broker took it.
  /// Errors: Denied (it did not, and it is not the network's fault); others (nothing is known)
  using Prove = std::function<void(const IdentityDirectory::Generation& generation, std::function<void(Result<void>)> done)>;

  enum class State : std::uint8_t { idle, working, asking, proving, waiting };

  struct Status {
    State state = State::idle;
    std::optional<DeviceCertificate> certificate;  ///< in use
    std::string last_error;                        ///< of the last attempt; empty after success
    std::uint64_t renewals = 0;                    ///< since the start
  };

  /// All lent, all outlive it. `directory`: of IdentityDirectory. `renewed` runs when a new identity is in use.
  IdentityRotation(EventLoop& loop, Log& log, std::string directory, IdentityOptions options, SigningAuthority& authority,
                   Prove prove, std::function<void()> renewed);
  ~IdentityRotation();
  IdentityRotation(const IdentityRotation&) = delete;
  IdentityRotation& operator=(const IdentityRotation&) = delete;

  void start();
  /// Begins nothing any more and calls nobody; what is being written is finished, and the next start goes on from there.
  void stop();

  /// Renews though it is not due, as an operator wishes: a new key, a new certificate. What is under way already is that
  /// renewal. A wish is not kept over a restart before its request stands on the disk.
  /// `done` runs on the loop, at most once, and a later wish takes its place: when the new identity is in use, or
  /// Errors: NotPresent (no identity in use to renew); Denied (the authority refuses, or the broker did not take it); what
  ///         the disk says. An authority or a network that is not there is none: it goes on.
  void renew_now(std::function<void(Result<void>)> done);
  const Status& status() const noexcept { return status_; }

  static constexpr nanoseconds kFirstLook = std::chrono::seconds{10};
  static constexpr nanoseconds kLookInterval = std::chrono::hours{1};
  static constexpr nanoseconds kUnreachablePause = std::chrono::minutes{1};
  static constexpr nanoseconds kTellPause = std::chrono::seconds{10};
  static constexpr nanoseconds kProofPause = std::chrono::minutes{10};
  static constexpr nanoseconds kLongPause = std::chrono::hours{24};
  static constexpr int kProofsMax = 3;

 private:
  void look();
  /// Runs `job` on a worker of its own, then `then` on the loop with what it found.
  void work(std::function<Result<IdentityDirectory>()> job, std::function<void(IdentityDirectory)> then);
  void go_on(IdentityDirectory identity);
  void request();
  void ask(const IdentityDirectory& identity);
  void answered(const Result<std::string>& chain_pem);
  void prove(const IdentityDirectory& identity);
  void proved(const Result<void>& outcome);
  /// Tells the authority what is in use, until it has heard it.
  void tell();
  void pause(nanoseconds time, const Error& error);
  void rest(State state, nanoseconds time);
  void wish_ends(const Result<void>& outcome);
  bool is_due(const DeviceCertificate& certificate) const;
  UtcTime certain_time() const;

  EventLoop& loop_;
  Log& log_;
  std::string directory_;
  IdentityOptions options_;
  SigningAuthority& authority_;
  Prove prove_;
  std::function<void()> renewed_;
  std::unique_ptr<Worker> worker_;
  Subscription next_look_;
  Subscription next_telling_;
  Status status_;
  std::uint64_t turn_ = 0;  ///< of the newest work
  int proofs_failed_ = 0;
  bool stopped_ = false;
  bool wished_ = false;    ///< renew_now(): whether due or not
  std::function<void(Result<void>)> wish_done_;
  bool told_ = false;      ///< begun to tell what is in use, once a start
  bool settling_ = false;  ///< a new certificate is being proved and taken into use: no other answer counts meanwhile
};

std::string_view to_string(IdentityRotation::State state) noexcept;

}  // namespace fieldpost
