// SPDX-License-Identifier: Apache-2.0
// See kept_text.hpp.
#include "agent/sync/kept_text.hpp"

#include <utility>

#include "platform/durable_file.hpp"

namespace fieldpost {

KeptText::KeptText(EventLoop& loop, Log& log, std::string file) : log_{log}, file_{std::move(file)} {
  if (!file_.empty()) worker_ = Worker::start(loop, "keeper", 4);
}

std::string KeptText::read() const { return file_.empty() ? std::string{} : read_file(file_, kBytesMax).value_or(std::string{}); }

bool KeptText::keep(std::string text) {
  if (!worker_) return true;
  const auto failed = std::make_shared<Result<void>>();
  return worker_->submit([failed, path = file_, text = std::move(text)] { *failed = replace_file_durably(path, text); },
                         [&log = log_, path = file_, failed] {
                           if (!*failed) log.debug("not kept", {{"file", path}, {"error", failed->error().sentence()}});
                         });
}

void KeptText::stop() {
  if (worker_) worker_->drain();
}

}  // namespace fieldpost
