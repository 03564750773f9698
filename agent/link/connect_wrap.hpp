// SPDX-License-Identifier: Apache-2.0
// How Paho gets a connected socket without knowing about TLS: the binary is linked with
// --wrap=connect and --wrap=getaddrinfo, and a connect() to an address that was reserved here is
// answered with a prepared end of a socket pair. Every other call of either function reaches the
// C library untouched. The trick needs Paho in the same static link; that is how we build it.
#pragma once

#include <cstdint>
#include <string>

#include "platform/file_descriptor.hpp"
#include "platform/result.hpp"

namespace fieldpost {

/// A host name that one connect() of this process may use, and the descriptor it will get.
/// Gives the descriptor back to the system when nobody connected. Safe from any thread.
class ReservedConnection {
 public:
  /// `end` must be non-blocking.
  /// Errors: Full  kReservationsMax are waiting
  static Result<ReservedConnection> make(FileDescriptor end);

  ReservedConnection(ReservedConnection&& other) noexcept : number_{std::exchange(other.number_, 0)} {}
  ReservedConnection& operator=(ReservedConnection&& other) noexcept;
  ReservedConnection(const ReservedConnection&) = delete;
  ReservedConnection& operator=(const ReservedConnection&) = delete;
  ~ReservedConnection();

  /// "link-7.fieldpost.invalid": ".invalid" never resolves anywhere else (RFC 6761).
  std::string host() const;
  /// True once connect() has taken the descriptor.
  bool taken() const;

  static constexpr std::size_t kReservationsMax = 64;

 private:
  explicit ReservedConnection(std::uint32_t number) noexcept : number_{number} {}
  std::uint32_t number_;
};

}  // namespace fieldpost
