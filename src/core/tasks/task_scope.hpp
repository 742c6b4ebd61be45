// Marks what the running task works for.
#pragma once

#include <utility>

#include "core/tasks/waiting.hpp"

namespace oslo::messaging {

/// In its scope the task (a thread, or a fiber on it) does the work of `owner`: runs a plain
/// handler of one server or listener.
class task_scope {
 public:
  explicit task_scope(const void* owner) noexcept : outer_(std::exchange(task_owner(), owner)) {}
  ~task_scope() { task_owner() = outer_; }
  task_scope(const task_scope&) = delete;
  task_scope& operator=(const task_scope&) = delete;

 private:
  const void* outer_;
};

}  // namespace oslo::messaging
