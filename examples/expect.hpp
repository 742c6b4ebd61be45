// The examples are tests too: each checks what it shows.
#pragma once

#include <cstdlib>
#include <iostream>

inline void expect(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "This should hold, and does not: " << what << '\n';
  std::exit(1);
}
