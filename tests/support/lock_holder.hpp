// A process that holds the lock of a file.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

namespace oslo::messaging::testing {

/// From the constructor on until `release` or the destructor. The file exists.
class lock_holder {
 public:
  explicit lock_holder(const std::string& file) {
    int told[2];
    if (::pipe(told) != 0 || ::pipe(done_) != 0) throw std::runtime_error("no pipe");
    child_ = ::fork();
    if (child_ == 0) {
      ::alarm(60);
      struct flock whole {};
      whole.l_type = F_WRLCK;
      whole.l_whence = SEEK_SET;
      const bool locked = ::fcntl(::open(file.c_str(), O_WRONLY), F_SETLK, &whole) == 0;
      char c = locked ? 'x' : '-';
      ::_exit(::write(told[1], &c, 1) == 1 && ::read(done_[0], &c, 1) == 1 ? 0 : 1);
    }
    char c = '-';
    const bool heard = ::read(told[0], &c, 1) == 1 && c == 'x';
    for (const int end : told) ::close(end);
    if (!heard) throw std::runtime_error("cannot lock " + file);
  }
  ~lock_holder() {
    release();
    for (const int end : done_) ::close(end);
  }
  lock_holder(const lock_holder&) = delete;
  lock_holder& operator=(const lock_holder&) = delete;

  void release() {
    if (child_ <= 0) return;
    const char c = 'x';
    [[maybe_unused]] const auto told = ::write(done_[1], &c, 1);
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
  }

 private:
  int done_[2];
  pid_t child_ = -1;
};

}  // namespace oslo::messaging::testing
