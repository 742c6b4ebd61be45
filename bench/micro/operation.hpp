// What the micro-benchmarks time and count.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace micro {

struct operation {
  std::string name;
  std::function<void(std::size_t times)> run;  ///< returns when it was done that often
};

// Each appends its operations; what they need lives as long as the list.
void add_wire(std::vector<operation>& all);
void add_amqp(std::vector<operation>& all);
void add_dispatch(std::vector<operation>& all);
void add_rpc(std::vector<operation>& all);

}  // namespace micro
