// What a child process must not touch.
#pragma once

namespace oslo::messaging::python {

/// How many forks lie between this process and the one that loaded the module. What was made
/// before the last one belongs to the parent: its threads are not here, and its locks may be held
/// for ever. Such objects are left alone, not destroyed.
int forks() noexcept;

}  // namespace oslo::messaging::python
