// SPDX-License-Identifier: Apache-2.0
// Made-up series with known values: for a first run on a machine without sensors, for tests that
// must prove that nothing was lost (shape "ramp"), and for every way in which a real source is bad
// (stuck, silent, failing, noisy). Everything is a function of the options, the seed, the number of
// reads and the time given to read(): two runs with the same inputs give the same samples.
#pragma once

#include <array>
#include <memory>

#include "hal/source.hpp"

namespace fieldpost {

inline constexpr std::array kSimulatedOptions{
    OptionDeclaration{"shape", OptionDeclaration::Type::text, false, "\"sine\"",
                      "sine, step, ramp, stuck, silent, failing or noise"},
    OptionDeclaration{"series", OptionDeclaration::Type::integer, false, "1",
                      "how many series; label index counts from 0"},
    OptionDeclaration{"period_seconds", OptionDeclaration::Type::real, false, "60.0",
                      "length of one sine or step"},
    OptionDeclaration{"amplitude", OptionDeclaration::Type::real, false, "1.0",
                      "values lie between minimum and minimum + amplitude"},
    OptionDeclaration{"minimum", OptionDeclaration::Type::real, false, "0.0", "the lowest value"},
    OptionDeclaration{"kind", OptionDeclaration::Type::text, false, "\"gauge\"",
                      "counter, gauge or state; a ramp is a counter unless this says otherwise"},
    OptionDeclaration{"start", OptionDeclaration::Type::integer, false, "0",
                      "what a ramp's first read gives; each read adds exactly 1"},
    OptionDeclaration{"fail_every", OptionDeclaration::Type::integer, false, "3",
                      "shape failing: every n-th read is an error, the others give a sine"},
    OptionDeclaration{"seed", OptionDeclaration::Type::integer, false, "1", "of the noise"},
};

/// Opens `fieldpost_simulated_value{instance=,shape=,index=}`.
///
/// Unit:   none
/// Errors: OutOfRange   an option's value; the sentence names the key
///         Full         more series than the table takes
Result<std::unique_ptr<Source>> open_simulated(const SourceContext& context);

}  // namespace fieldpost
