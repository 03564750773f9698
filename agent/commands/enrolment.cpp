// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/enrolment.hpp"

#include <optional>
#include <utility>

#include "agent/identity/identity_proof.hpp"

namespace fieldpost {
namespace {

/// What is asked over one link: `begin` when it is up, and the loop ends with the first answer.
template <typename Answer>
class Conversation {
 public:
  explicit Conversation(const SystemClock& clock) : log_{clock, LogLevel::error}, loop_{make_event_loop(clock, &log_)} {}

  EventLoop& loop() noexcept { return *loop_; }
  /// Errors: as Link::make
  Result<Link*> open(LinkOptions options) {
    options.key_password.clear();
    options.will.reset();
    link_ = TRY(Link::make(*loop_, log_, std::move(options)));
    return link_.get();
  }

  template <typename Begin>
  Result<Answer> run(Begin begin) {
    link_->on_change([&](LinkState state) {
      if (state == LinkState::connected && !asked_) {
        asked_ = true;
        begin();
      } else if (state == LinkState::waiting && !asked_ && ++failures_ == IdentityProof::kAttemptsMax) {
        end(Error{ErrorKind::Denied, link_->status().last_error});
      }
    });
    link_->start();
    loop_->run();
    return std::move(*answer_);
  }
  void end(Result<Answer> answer) {
    if (answer_) return;
    answer_.emplace(std::move(answer));
    link_->stop([this] { loop_->stop(); });
  }

 private:
  Log log_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Link> link_;
  std::optional<Result<Answer>> answer_;
  bool asked_ = false;
  int failures_ = 0;
};

}  // namespace

Result<Claimed> enrol_by_claim(const std::string& request, std::string provisioning_template, TemplateParameters parameters,
                               LinkOptions options, const SystemClock& clock) {
  Conversation<std::string> conversation{clock};
  Link* link = TRY(conversation.open(std::move(options)));
  AwsClaim aws{conversation.loop(), *link, std::move(provisioning_template), std::move(parameters)};
  auto chain = conversation.run([&] {
    const auto asked = aws.ask(request, [&](Result<std::string> answer) { conversation.end(std::move(answer)); });
    if (!asked) conversation.end(asked.error());
  });
  return Claimed{TRY(std::move(chain)), aws.thing_name()};
}

Result<AzureDps::Registered> enrol_by_dps(const std::string& request, const std::string& registration_id, LinkOptions options,
                                          const SystemClock& clock) {
  Conversation<AzureDps::Registered> conversation{clock};
  Link* link = TRY(conversation.open(std::move(options)));
  AzureDps dps{conversation.loop(), *link, registration_id, request};
  return conversation.run([&] { dps.begin([&](Result<AzureDps::Registered> answer) { conversation.end(std::move(answer)); }); });
}

Result<std::string> enrol_by_est(const std::string& request, EstOptions est, HttpOptions options, const SystemClock& clock) {
  Log log{clock, LogLevel::error};
  const auto loop = make_event_loop(clock, &log);
  const auto http = make_http_client(*loop, std::move(options));
  EstAuthority authority{*loop, *http, std::move(est)};
  Result<std::string> chain{Error{ErrorKind::Timeout, "the CA has not decided yet; the key and its request wait, ask again later"}};
  const auto limit = loop->after(kEstTimeMax, [&loop] { loop->stop(); });
  TRY(authority.ask(request, [&](Result<std::string> answer) {
    chain = std::move(answer);
    loop->stop();
  }));
  loop->run();
  return chain;
}

}  // namespace fieldpost
