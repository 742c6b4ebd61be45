// The version of the library, for the preprocessor and at run time.
#pragma once

#pragma GCC visibility push(default)

/// Of these headers: "major.minor.patch", and as numbers.
#define OSLO_MESSAGING_VERSION "0.1.0"
#define OSLO_MESSAGING_VERSION_MAJOR 0
#define OSLO_MESSAGING_VERSION_MINOR 1
#define OSLO_MESSAGING_VERSION_PATCH 0
/// Of the shared library, and in its file name. Another number: programs have to be compiled again.
#define OSLO_MESSAGING_ABI 1

namespace oslo::messaging {

/// That of the library the program runs with, which a shared library may have newer than the
/// headers it was compiled with.
const char* version() noexcept;

}  // namespace oslo::messaging

#pragma GCC visibility pop
