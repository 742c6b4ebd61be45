// What the address sanitizer is not to report of programs that show damaged bytes to Qpid Proton.
// For one source of a program.
#pragma once

/// Proton 0.37 loses a few bytes when a broker names its mechanisms twice.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
  return "leak:pnx_sasl_set_selected_mechanism\n";
}
