// SPDX-License-Identifier: Apache-2.0
// A fleet's database in a directory of the test's, and what would be said to devices.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/fleet/device_jobs.hpp"
#include "agent/fleet/fleet_database.hpp"
#include "platform/json.hpp"
#include "tests/support/temporary_directory.hpp"

namespace fieldpost {

struct Said {
  std::string device;
  std::string place;
  Json payload;
};

class FleetFixture : public testing::Test {
 protected:
  FleetFixture() { open(); }

  void open() {
    database_.reset();
    auto opened = FleetDatabase::open(directory_.file("fleet.db"));
    ASSERT_TRUE(opened) << opened.error().sentence();
    database_ = std::move(*opened);
  }

  SayToDevice say() {
    return [this](const std::string& device, const std::string& place, const std::string& payload) {
      said_.push_back({device, place, *Json::parse(payload)});
    };
  }

  /// The first thing that was said there; an empty object if nothing was.
  Json answer(std::string_view place) const {
    for (const Said& each : said_) {
      if (each.place == place) return each.payload;
    }
    return *Json::parse("{}");
  }

  std::size_t count(std::string_view place) const {
    std::size_t found = 0;
    for (const Said& each : said_) found += each.place == place ? 1U : 0U;
    return found;
  }

  void commit() {
    const auto committed = database_->commit();
    ASSERT_TRUE(committed) << committed.error().sentence();
  }

  static std::string text(const Json& json, std::string_view key) {
    const auto member = json.at(key);
    return member ? member->string().value_or(member->text()) : std::string{"absent"};
  }

  TemporaryDirectory directory_;
  std::unique_ptr<FleetDatabase> database_;
  std::vector<Said> said_;
};

}  // namespace fieldpost
