// Matchmakers that ask no other service: the hosts of the URL, this process, a folder.
#pragma once

#include "drivers/zmq/matchmaker.hpp"

namespace oslo::messaging::zmq {

std::unique_ptr<matchmaker> make_local_matchmaker(const context_ptr& c);

/// Ports of the options' range, by chance, as places to bind.
std::vector<std::string> random_places(const options& o);

}  // namespace oslo::messaging::zmq
