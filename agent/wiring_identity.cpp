// SPDX-License-Identifier: Apache-2.0
#include "agent/wiring_identity.hpp"

#include <utility>

#include "agent/cloud/aws_claim.hpp"
#include "agent/cloud/est_authority.hpp"
#include "agent/cloud/mqtt_authority.hpp"

namespace fieldpost {
HttpOptions est_http_options(const Configuration& configuration) {
  HttpOptions options;
  options.ca_file = configuration.identity.est_ca_file.empty() ? configuration.link.ca_file : configuration.identity.est_ca_file;
  options.proxy = configuration.link.proxy;
  return options;
}

std::unique_ptr<SigningAuthority> WiredIdentity::authority() {
  using Authority = IdentityOptions::Authority;
  const IdentityOptions& options = configuration_.identity;
  switch (options.authority) {
    case Authority::none: return nullptr;
    case Authority::mqtt:
      return std::make_unique<MqttAuthority>(link_, configuration_.topic_prefix + "/" + configuration_.device_name + "/certificate");
    case Authority::aws:
      return std::make_unique<AwsClaim>(loop_, link_, options.aws_template, options.aws_parameters, configuration_.link.client_id);
    case Authority::est: {
      HttpOptions http = est_http_options(configuration_);
      http.certificate_file = configuration_.link.certificate_file;
      http.key_file = configuration_.link.key_file;
      http_ = make_http_client(loop_, std::move(http));
      return std::make_unique<EstAuthority>(loop_, *http_, EstOptions{.url = options.est_url, .username = {}, .password = {}, .renewal = true});
    }
  }
  return nullptr;
}

WiredIdentity::WiredIdentity(EventLoop& loop, Log& log, const Configuration& configuration, Link& link)
    : loop_{loop}, log_{log}, configuration_{configuration}, link_{link}, authority_{authority()} {
  if (!authority_) return;
  rotation_ = std::make_unique<IdentityRotation>(
      loop, log, identity_directory(configuration.state_directory), configuration.identity, *authority_,
      [this](const IdentityDirectory::Generation& generation, std::function<void(Result<void>)> done) {
        prove(generation, std::move(done));
      },
      [this] {
        // The connection there is may have been made with the one before.
        link_.stop({});
        link_.start();
      });
}

void WiredIdentity::start() {
  if (next_look_) return;
  look();
  next_look_ = loop_.every(loop_.clock().now() + kLookInterval, kLookInterval, [this] { look(); });
  if (rotation_) rotation_->start();
}

void WiredIdentity::stop() {
  if (rotation_) rotation_->stop();
}

void WiredIdentity::look() {
  auto certificate = DeviceCertificate::read(configuration_.link.certificate_file);
  certificate_.reset();
  if (!certificate) return;  // there is none, or the link has said what is wrong with it
  certificate_ = std::move(*certificate);
  const CertificateAge age = age_of(*certificate_, loop_.clock().utc_above_floor().time);
  if (age != told_ && age != CertificateAge::valid) {
    log_.warn("the device's certificate is " + std::string{to_string(age)},
              {{"subject", certificate_->subject},
               {"valid_from", to_rfc3339(certificate_->not_before)},
               {"valid_until", to_rfc3339(certificate_->not_after)}});
  }
  told_ = age;
}

void WiredIdentity::prove(const IdentityDirectory::Generation& generation, std::function<void(Result<void>)> done) {
  LinkOptions options = configuration_.link;
  options.certificate_file = generation.certificate_file;
  options.key_file = generation.key_file;
  options.key_password.clear();
  auto proof = IdentityProof::begin(loop_, log_, std::move(options), [this, done](Result<void> outcome) {
    // With a network that carries the one in use, it is the new one that is refused; without, nothing is known.
    if (!outcome && !link_.connected()) outcome = Error{ErrorKind::Unavailable, outcome.error().sentence()};
    // Later, for the proof may not be destroyed from within.
    loop_.post([this, done, outcome = std::move(outcome)] {
      proof_.reset();
      done(outcome);
    });
  });
  if (proof) {
    proof_ = std::move(*proof);
  } else {
    done(std::move(proof).error());
  }
}

void WiredIdentity::renew_now(std::function<void(Result<void>)> done) {
  if (rotation_) return rotation_->renew_now(std::move(done));
  done(Error{ErrorKind::Unavailable, "no authority in [identity] to renew the certificate with; `fieldpost provision` does it by hand"});
}

std::optional<DeviceCertificate> WiredIdentity::certificate() const {
  if (rotation_ && rotation_->status().certificate) return rotation_->status().certificate;
  return certificate_;
}

StatusDocument::Identity WiredIdentity::status() const {
  StatusDocument::Identity identity;
  if (const auto used = certificate()) {
    identity.subject = used->subject;
    identity.not_after = used->not_after;
    identity.age = to_string(age_of(*used, loop_.clock().utc_above_floor().time));
  }
  if (rotation_) {
    identity.renewal = to_string(rotation_->status().state);
    identity.last_error = rotation_->status().last_error;
    identity.renewals = rotation_->status().renewals;
  }
  return identity;
}

}  // namespace fieldpost
