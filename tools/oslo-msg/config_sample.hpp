// The command that describes all options; it opens no transport.
#pragma once

#include "program.hpp"

namespace oslo::messaging::cli {

void add_config_sample(CLI::App& app, program& p);

}  // namespace oslo::messaging::cli
