// For a class that a public header only declares: the shared library does not show its members.
#pragma once

#if defined(__clang__)
// It takes that for a contradiction of the declaration; what it compiles here is fuzzed and no
// library.
#define OSLO_HIDDEN
#else
#define OSLO_HIDDEN [[gnu::visibility("hidden")]]
#endif
